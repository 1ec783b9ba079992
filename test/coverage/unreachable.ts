/** Error paths that these tests cannot come to, each with the reason. A line that is covered, or gone, must go from here. */
export const UNREACHABLE: readonly { readonly file: string; readonly line: string; readonly reason: string }[] = []
