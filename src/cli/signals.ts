import { EXIT, type ExitCode } from './exit-codes.js'

const SIGNALS = { SIGINT: EXIT.interrupted, SIGQUIT: EXIT.quit, SIGTERM: EXIT.terminated, SIGHUP: EXIT.hangup } as const
type Name = keyof typeof SIGNALS
/** What a terminal sends to all programs that run in it, when somebody presses Ctrl-C or Ctrl-\\. */
const BY_KEY: readonly Name[] = ['SIGINT', 'SIGQUIT']

/** What the system asks of the command: the first signal ends it in order, the second at once. */
export class Signals {
  readonly #controller = new AbortController()
  #exitCode: ExitCode | undefined
  static #held = 0

  constructor() {
    for (const name of Object.keys(SIGNALS) as Name[]) process.on(name, () => this.#receive(name))
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** How the command ends if a signal has ended it. */
  get exitCode(): ExitCode | undefined {
    return this.#exitCode
  }

  /** Lets such keys be the business of a program that has the terminal meanwhile. */
  static async leaveInterruptsTo<T>(work: () => Promise<T>): Promise<T> {
    Signals.#held++
    try {
      return await work()
    } finally {
      Signals.#held--
    }
  }

  #receive(name: Name): void {
    if (BY_KEY.includes(name) && Signals.#held > 0) return
    if (this.#exitCode !== undefined) endAtOnce(name)
    this.#exitCode = SIGNALS[name]
    this.#controller.abort()
  }
}

/** By the signal itself: process.exit waits for calls that may never return, such as opening a pipe that nobody writes to. */
function endAtOnce(name: Name): void {
  process.emit('exit', SIGNALS[name])
  process.removeAllListeners(name)
  process.kill(process.pid, name)
}
