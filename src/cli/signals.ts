import { EXIT, type ExitCode } from './exit-codes.js'

const SIGNALS = { SIGINT: EXIT.interrupted, SIGTERM: EXIT.terminated, SIGHUP: EXIT.hangup } as const

/** What the system asks of the command: the first signal ends it in order, the second at once. */
export class Signals {
  readonly #controller = new AbortController()
  #exitCode: ExitCode | undefined
  static #held = 0

  constructor() {
    for (const name of Object.keys(SIGNALS) as (keyof typeof SIGNALS)[]) process.on(name, () => this.#receive(name))
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** How the command ends if a signal has ended it. */
  get exitCode(): ExitCode | undefined {
    return this.#exitCode
  }

  /** Lets Ctrl-C be the business of a program that has the terminal meanwhile. */
  static async leaveInterruptsTo<T>(work: () => Promise<T>): Promise<T> {
    Signals.#held++
    try {
      return await work()
    } finally {
      Signals.#held--
    }
  }

  #receive(name: keyof typeof SIGNALS): void {
    if (name === 'SIGINT' && Signals.#held > 0) return
    if (this.#exitCode !== undefined) process.exit(SIGNALS[name])
    this.#exitCode = SIGNALS[name]
    this.#controller.abort()
  }
}
