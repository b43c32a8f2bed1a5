// The client's types: stated once more, and held against the schemas of the routes, which it does not import.
import type { Static, TSchema } from '@sinclair/typebox'
import type {
  Confirmation,
  Credentials,
  IdentityClient,
  Info,
  InfoChange,
  LoginFailure,
  NewAccount,
  PasswordReset,
  Session,
  SessionsPage,
  TokenAnswer,
  TwoFactor,
  TwoFactorChange,
} from '../../src/client/index.js'
import type { SignInFailure } from '../../src/index.js'
import type { endpoints } from '../../src/routes/endpoints.js'
import type { Equal, Expect } from './equal.js'

type Declared = (typeof endpoints)[number]
type Named<Name extends Declared['name']> = Extract<Declared, { readonly name: Name }>
type Taken<Name extends Declared['name'], Part extends 'body' | 'query' = 'body'> =
  Named<Name> extends { readonly [One in Part]: infer Schema extends TSchema } ? Static<Schema> : never
type Given<Name extends Declared['name']> = Named<Name>['answers'][200] extends infer Schema extends TSchema
  ? ReadonlyDeep<Static<Schema>>
  : never

/** What can be sent is taken, and all that is taken can be sent. */
type Sent<Request, Schema> = [Request] extends [Schema] ? Equal<keyof Request, keyof Schema> : false
type ReadonlyDeep<T> = T extends object ? { readonly [Name in keyof T]: ReadonlyDeep<T[Name]> } : T

export type Wire = [
  Expect<Equal<TokenAnswer, Given<'login'>>>,
  Expect<Equal<TokenAnswer, Given<'refresh'>>>,
  Expect<Equal<Info, Given<'getInfo'>>>,
  Expect<Equal<Info, Given<'changeInfo'>>>,
  Expect<Equal<TwoFactor, Given<'twoFactor'>>>,
  Expect<Equal<readonly Session[], Given<'listSessions'>>>,
  Expect<Sent<Omit<Credentials, 'userName' | 'email'> & { email: string }, Taken<'login'>>>,
  Expect<Sent<Omit<NewAccount, 'userName'>, Taken<'register'>>>,
  Expect<Sent<TwoFactorChange, Taken<'twoFactor'>>>,
  Expect<Sent<InfoChange, Taken<'changeInfo'>>>,
  Expect<Sent<Confirmation, Taken<'confirmEmail', 'query'>>>,
  Expect<Sent<PasswordReset, Taken<'resetPassword'>>>,
  Expect<Equal<keyof SessionsPage, keyof Taken<'listSessions', 'query'>>>,
  Expect<Equal<LoginFailure, SignInFailure>>,
]

/** Functions of the client that are not named as their endpoint is. */
interface Renamed {
  getInfo: 'info'
  listSessions: 'sessions'
  deleteSession: 'endSession'
}
type FunctionOf<Name extends string> = Name extends keyof Renamed ? Renamed[Name] : Name

type Missing = Exclude<FunctionOf<Declared['name']>, keyof IdentityClient>
type None<Complaint extends never> = Complaint

/** An error here names the functions that the client lacks. */
export type Complete =
  None<`add ${Missing}() to IdentityClient in src/client/index.ts, or its other name to Renamed here`>

export async function uses(client: IdentityClient<{ nickname: string; birthYear?: number }>): Promise<void> {
  const { nickname, birthYear }: { nickname: string; birthYear?: number } = await client.info()
  await client.register({
    email: 'ann@example.com',
    password: 'secret',
    nickname,
    ...(birthYear === undefined ? {} : { birthYear }),
  })
  await client.changeInfo({ birthYear: 1990 })
  // @ts-expect-error -- the profile has a field that is needed
  await client.register({ email: 'ann@example.com', password: 'secret' })
  // @ts-expect-error -- one's own session needs no word
  await client.logout('this')
}
