/** What lies beside files only for as long as they are being written: locks, and files that are not in their place yet. */
const WORKING_NAME = /\.sealfile-lock(-[0-9a-f]{16})*$|^\..*\.[0-9a-f]{16}\.sealfile-tmp$/

/** Tells whether a name is nobody's business. @param name - Without its folder. */
export function isWorkingName(name: string): boolean {
  return WORKING_NAME.test(name)
}
