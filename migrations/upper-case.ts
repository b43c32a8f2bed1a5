// Letters beyond ASCII and their upper case, as ToUpperInvariant of .NET 10 has it: one to one, and the same whatever versions of Unicode Node and
// Postgres know, since keys are stored. Left out is ſ, the only one that would become a letter of ASCII. Where JavaScript's toUpperCase has
// several letters (ß, ﬁ) there is none here. Used by a released migration: never changed. Checked against test/vectors/dotnet-upper-case.json.

// One run is `first[-last]:shift`, in hexadecimal; with `=` instead of `-` it is every second character.
const runs = `
  b5:2e7 e0-f6:-20 f8-fe:-20 ff:79 101=12f:-1 133=137:-1 13a=148:-1 14b=177:-1 17a=17e:-1 180:c3 183=185:-1 188:-1
  18c:-1 192:-1 195:61 199:-1 19a:a3 19e:82 1a1=1a5:-1 1a8:-1 1ad:-1 1b0:-1 1b4=1b6:-1 1b9:-1 1bd:-1 1bf:38 1c5:-1
  1c6:-2 1c8:-1 1c9:-2 1cb:-1 1cc:-2 1ce=1dc:-1 1dd:-4f 1df=1ef:-1 1f2:-1 1f3:-2 1f5:-1 1f9=21f:-1 223=233:-1
  23c:-1 23f-240:2a3f 242:-1 247=24f:-1 250:2a1f 251:2a1c 252:2a1e 253:-d2 254:-ce 256-257:-cd 259:-ca 25b:-cb
  25c:a54f 260:-cd 261:a54b 263:-cf 265:a528 266:a544 268:-d1 269:-d3 26a:a544 26b:29f7 26c:a541 26f:-d3 271:29fd
  272:-d5 275:-d6 27d:29e7 280:-da 282:a543 283:-da 287:a52a 288:-da 289:-45 28a-28b:-d9 28c:-47 292:-db 29d:a515
  29e:a512 345:54 371=373:-1 377:-1 37b-37d:82 3ac:-26 3ad-3af:-25 3b1-3c1:-20 3c2:-1f 3c3-3cb:-20 3cc:-40
  3cd-3ce:-3f 3d0:-3e 3d1:-39 3d5:-2f 3d6:-36 3d7:-8 3d9=3ef:-1 3f0:-56 3f1:-50 3f2:7 3f3:-74 3f5:-60 3f8:-1
  3fb:-1 430-44f:-20 450-45f:-50 461=481:-1 48b=4bf:-1 4c2=4ce:-1 4cf:-f 4d1=52f:-1 561-586:-30 10d0-10fa:bc0
  10fd-10ff:bc0 13f8-13fd:-8 1c80:-186e 1c81:-186d 1c82:-1864 1c83-1c84:-1862 1c85:-1863 1c86:-185c 1c87:-1825
  1c88:89c2 1d79:8a04 1d7d:ee6 1d8e:8a38 1e01=1e95:-1 1e9b:-3b 1ea1=1eff:-1 1f00-1f07:8 1f10-1f15:8 1f20-1f27:8
  1f30-1f37:8 1f40-1f45:8 1f51=1f57:8 1f60-1f67:8 1f70-1f71:4a 1f72-1f75:56 1f76-1f77:64 1f78-1f79:80 1f7a-1f7b:70
  1f7c-1f7d:7e 1f80-1f87:8 1f90-1f97:8 1fa0-1fa7:8 1fb0-1fb1:8 1fb3:9 1fbe:-1c25 1fc3:9 1fd0-1fd1:8 1fe0-1fe1:8
  1fe5:7 1ff3:9 214e:-1c 2170-217f:-10 2184:-1 24d0-24e9:-1a 2c30-2c5f:-30 2c61:-1 2c65:-2a2b 2c66:-2a28
  2c68=2c6c:-1 2c73:-1 2c76:-1 2c81=2ce3:-1 2cec=2cee:-1 2cf3:-1 2d00-2d25:-1c60 2d27:-1c60 2d2d:-1c60
  a641=a66d:-1 a681=a69b:-1 a723=a72f:-1 a733=a76f:-1 a77a=a77c:-1 a77f=a787:-1 a78c:-1 a791=a793:-1 a794:30
  a797=a7a9:-1 a7b5=a7c3:-1 a7c8=a7ca:-1 a7d1:-1 a7d7=a7d9:-1 a7f6:-1 ab53:-3a0 ab70-abbf:-97d0 ff41-ff5a:-20
  10428-1044f:-28 104d8-104fb:-28 10597-105a1:-27 105a3-105b1:-27 105b3-105b9:-27 105bb-105bc:-27 10cc0-10cf2:-40
  118c0-118df:-20 16e60-16e7f:-20 1e922-1e943:-22`

/** The letters that have an upper case, and these upper cases in the same order. */
export function upperCases(): readonly [lower: string, upper: string] {
  const lower: string[] = []
  const upper: string[] = []
  for (const [, first = '', between, last = first, shift = ''] of runs.matchAll(run)) {
    for (let code = parseInt(first, 16); code <= parseInt(last, 16); code += between === '=' ? 2 : 1) {
      lower.push(String.fromCodePoint(code))
      upper.push(String.fromCodePoint(code + parseInt(shift, 16)))
    }
  }
  return [lower.join(''), upper.join('')]
}

const run = /([\da-f]+)(?:([-=])([\da-f]+))?:(-?[\da-f]+)/g
