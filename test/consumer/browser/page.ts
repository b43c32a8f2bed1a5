// A page of a consumer: the client where there is no Node.
import { createIdentityClient, IdentityClientError, type Tokens } from 'fastify-identity/client'

export const client = createIdentityClient<{ nickname: string }>({
  baseUrl: '/account',
  storage: {
    get: () => JSON.parse(localStorage.getItem('tokens') ?? 'null') as Tokens | null,
    set: (tokens) => {
      localStorage.setItem('tokens', JSON.stringify(tokens))
    },
  },
})

export async function signIn(form: HTMLFormElement): Promise<string> {
  const { email, password, code } = Object.fromEntries(new FormData(form)) as Record<string, string>
  const result = await client.login({ email: email!, password: password!, ...(code ? { twoFactorCode: code } : {}) })
  if (!result.succeeded) return result.requiresTwoFactor ? 'And the code of your app?' : result.reason
  try {
    return `Hello ${(await client.info()).nickname}`
  } catch (error) {
    if (error instanceof IdentityClientError && error.status === 503) return `Wait ${error.retryAfterSeconds ?? 5} s`
    throw error
  }
}
