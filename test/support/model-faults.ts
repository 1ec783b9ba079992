import type { ModelHandle } from './model-operations.js'

type Call = (...args: unknown[]) => unknown

/** Carries out a call in another way than it should be. */
type Fault = (real: Call, args: unknown[]) => unknown

/** Faults that a test of handles must notice, by what they do: which methods have them, and how. */
export const FAULTS: Readonly<Record<string, { readonly methods: readonly (keyof ModelHandle)[]; readonly fault: Fault }>> = {
  'drops the last byte of what is written': {
    methods: ['write'],
    fault: (real, args) => {
      const [buffer, offset, length, position] = args
      if (typeof length !== 'number' || length < 2) return real(...args)
      return settled(real(buffer, offset, length - 1, position), () => ({ bytesWritten: length }))
    },
  },
  'writes where it stands whatever was asked for': {
    methods: ['write', 'writev'],
    fault: (real, args) => real(...args.map((arg, i) => (i === args.length - 1 && typeof arg === 'number' ? null : arg))),
  },
  'ignores a truncate': { methods: ['truncate'], fault: () => undefined },
  'commits nothing before it is closed': { methods: ['commit', 'sync', 'datasync'], fault: () => undefined },
  'moves by one byte too many': {
    methods: ['seek'],
    fault: (real, [offset, whence]) => settled(real((offset as number) + 1, whence), (position) => (position as number) - 1),
  },
  'reads a byte wrong at times': {
    methods: ['read'],
    fault: (real, args) => {
      return settled(real(...args), (result) => {
        const [buffer, offset] = args as [Buffer, number]
        buffer[offset]! ^= 1
        return result
      })
    },
  },
}

/** @returns a handle that is in order but for the methods that have the fault. */
export function withFault(handle: ModelHandle, name: string): ModelHandle {
  const { methods, fault } = FAULTS[name]!
  return new Proxy(handle, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property)
      if (typeof value !== 'function') return value
      const real: Call = (...args) => (value as Call).apply(target, args)
      return methods.some((method) => method === property) ? (...args: unknown[]) => fault(real, args) : real
    },
  })
}

/** Changes a result, or what a promise is settled with. */
function settled(result: unknown, change: (value: unknown) => unknown): unknown {
  return result instanceof Promise ? result.then(change) : change(result)
}
