// The output of the example at start: the story of an account as commands for bash, to be pasted one after another or
// all at once.

/** `url` is the origin that the server answers under. */
export function story(url: string): string {
  return `
url=${url} json='content-type: application/json'
ada='{"email":"ada@example.com","password":"Forecast-42"}'
token() { node -p 'JSON.parse(process.argv[1])[process.argv[2]]' "$tokens" "$1"; }

# With tokens: register (200, a second time 400), no entry (401), log in, the weather (200)
curl -iw "\\n" "$url/account/register" -H "$json" -d "$ada"
curl -iw "\\n" "$url/weatherforecast"
tokens=$(curl -s "$url/account/login" -H "$json" -d "$ada")
curl -iw "\\n" "$url/weatherforecast" -H "authorization: Bearer $(token accessToken)"

# New tokens for old (200), log out (200), and the token is worth nothing any more (401)
tokens=$(curl -s "$url/account/refresh" -H "$json" -d "{\\"refreshToken\\":\\"$(token refreshToken)\\"}")
curl -iw "\\n" "$url/weatherforecast" -H "authorization: Bearer $(token accessToken)"
curl -iw "\\n" -X POST "$url/account/logout" -H "authorization: Bearer $(token accessToken)"
curl -iw "\\n" "$url/weatherforecast" -H "authorization: Bearer $(token accessToken)"

# The same with a cookie, kept in a file: log in (200), the weather (200), log out (200), no entry (401)
jar=$(mktemp)
curl -iw "\\n" -c "$jar" "$url/account/login?useCookies=true" -H "$json" -d "$ada"
curl -iw "\\n" -b "$jar" "$url/weatherforecast"
curl -iw "\\n" -b "$jar" -X POST "$url/account/logout"
curl -iw "\\n" -b "$jar" "$url/weatherforecast"
`
}
