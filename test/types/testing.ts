// The entry point fastify-identity/testing, as it is promised to hosts.
import type { FastifyInstance, InjectOptions } from 'fastify'
import type { Claim, Clock, EmailSender, MailUser, NewUser, User } from '../../src/index.js'
import type {
  BearerHeaders,
  CookieHeaders,
  createClock,
  createMailbox,
  Letter,
  LetterKind,
  Mailbox,
  signInAs,
  SignInAsOptions,
  TestClock,
  TestUser,
} from '../../src/testing/index.js'
import type { Equal, Expect } from './equal.js'

export type Testing = [
  Expect<Equal<typeof createClock, (start?: number) => TestClock>>,
  Expect<Equal<TestClock['advance'], (seconds: number) => void>>,
  Expect<TestClock extends Clock ? true : false>,
  Expect<Equal<typeof createMailbox, () => Mailbox>>,
  Expect<Mailbox extends Required<EmailSender> ? true : false>,
  Expect<
    Equal<Pick<Mailbox, 'letters' | 'last'>, { readonly letters: readonly Letter[]; last(address?: string): Letter }>
  >,
  Expect<Equal<LetterKind, 'confirmationLink' | 'passwordResetLink' | 'passwordResetCode' | 'securityNotice'>>,
  Expect<
    Equal<
      Letter,
      {
        readonly kind: LetterKind
        readonly user: MailUser
        readonly to: string
        readonly content: string
        readonly link: URL
        readonly path: string
        readonly code: string
      }
    >
  >,
  Expect<Equal<BearerHeaders, { readonly authorization: string }>>,
  Expect<Equal<CookieHeaders, { readonly cookie: string }>>,
  Expect<BearerHeaders extends NonNullable<InjectOptions['headers']> ? true : false>,
  Expect<CookieHeaders extends NonNullable<InjectOptions['headers']> ? true : false>,
  Expect<
    Equal<
      SignInAsOptions,
      { readonly scheme?: 'bearer' | 'cookie'; readonly amr?: readonly string[]; readonly decorator?: string }
    >
  >,
  Expect<
    Equal<
      Pick<TestUser, 'roles' | 'claims'>,
      { readonly roles?: readonly string[]; readonly claims?: readonly Claim[] }
    >
  >,
  Expect<TestUser extends Partial<NewUser> ? true : false>,
  Expect<
    Equal<
      typeof signInAs,
      {
        (
          app: FastifyInstance,
          who: TestUser | User,
          options: SignInAsOptions & { readonly scheme: 'cookie' },
        ): Promise<CookieHeaders>
        (
          app: FastifyInstance,
          who: TestUser | User,
          options?: SignInAsOptions & { readonly scheme?: 'bearer' },
        ): Promise<BearerHeaders>
      }
    >
  >,
]
