// The only error of a failed delivery that leaves this folder. It is meant for logs and for the outbox's row, so it
// contains neither the mail nor a credential, and no `cause` that might carry either.

export class DeliveryFailed extends Error {
  /**
   * Short and stable, for example `ECONNECTION`, `ETIMEDOUT`, `EAUTH`, `EENVELOPE`; nodemailer's where it comes from
   * nodemailer.
   */
  readonly code: string
  /**
   * The recipient or this very message was refused for good: a retry will not help. Any other failure may be temporary, even a wrong
   * password of the mail account.
   */
  readonly permanent: boolean

  constructor(message: string, code: string, permanent: boolean) {
    super(message)
    this.name = 'DeliveryFailed'
    this.code = code
    this.permanent = permanent
  }
}
