// The one error of a failed delivery that leaves this room. It is meant for logs and for the outbox's row, so it is made of what may be read
// there: never the mail, never a credential, and no `cause` that might carry either.

export class DeliveryFailed extends Error {
  /** Short and stable, for example `ECONNECTION`, `ETIMEDOUT`, `EAUTH`, `EENVELOPE`; from nodemailer where it is nodemailer's. */
  readonly code: string
  /** The recipient was refused for good: trying again will not help. Everything else may heal, a wrong password of the mail account included. */
  readonly permanent: boolean

  constructor(message: string, code: string, permanent: boolean) {
    super(message)
    this.name = 'DeliveryFailed'
    this.code = code
    this.permanent = permanent
  }
}
