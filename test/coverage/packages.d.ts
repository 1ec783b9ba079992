/** What is used of packages that have no types of their own. */

declare module '@bcoe/v8-coverage' {
  export interface ScriptCov {
    readonly url: string
    readonly functions: {
      readonly functionName: string
      readonly isBlockCoverage: boolean
      readonly ranges: { readonly startOffset: number; readonly endOffset: number; readonly count: number }[]
    }[]
  }
  export interface ProcessCov {
    readonly result: ScriptCov[]
  }
  export function mergeProcessCovs(processes: readonly ProcessCov[]): ProcessCov
}

declare module 'istanbul-lib-coverage' {
  /** By path. */
  export type CoverageMapData = Readonly<Record<string, object>>
  export interface CoverageMap {
    files(): string[]
    merge(data: CoverageMapData): void
    getCoverageSummary(): Readonly<Record<'lines' | 'branches' | 'functions', { readonly pct: number }>>
  }
  const library: { createCoverageMap(data: CoverageMapData): CoverageMap }
  export default library
}
