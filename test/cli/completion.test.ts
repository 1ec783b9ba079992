import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { CommandFolder, NO_TERMINAL } from '../support/run-command.js'

const folder = new CommandFolder()
const { at } = folder

/** What is typed, and what is there after the Tab key: itself, where there is nothing to complete. */
const LINES: readonly (readonly [typed: string, completed: string])[] = [
  ['sealfile en', 'sealfile encrypt'],
  ['sealfile comp', 'sealfile completion'],
  ['sealfile keys chan', 'sealfile keys change-passphrase'],
  ['sealfile keys add rec', 'sealfile keys add recovery-key'],
  ['sealfile completion f', 'sealfile completion fish'],
  ['sealfile help reen', 'sealfile help reencrypt'],
  ['sealfile help op', 'sealfile help options'],
  ['sealfile help keys rot', 'sealfile help keys rotate'],
  ['sealfile keys help rot', 'sealfile keys help rotate'],
  ['sealfile --vers', 'sealfile --version'],
  ['sealfile keys create --lab', 'sealfile keys create --label'],
  ['sealfile cat --of', 'sealfile cat --offset'],
  ['sealfile cat --passphrase-fi', 'sealfile cat --passphrase-file'],
  ['sealfile -q batch encrypt --wor', 'sealfile -q batch encrypt --workers'],
  // Only `encrypt` without `batch` has it.
  ['sealfile batch encrypt --stre', 'sealfile batch encrypt --stre'],
  ['sealfile encrypt --cipher ch', 'sealfile encrypt --cipher chacha20-poly1305'],
  ['sealfile encrypt --cipher=ch', 'sealfile encrypt --cipher=chacha20-poly1305'],
  ['sealfile pack --compression gz', 'sealfile pack --compression gzip'],
  ['sealfile cat rep', 'sealfile cat report\\ one.txt'],
  ['sealfile cat -p logs dee', 'sealfile cat -p logs deep/'],
  ['sealfile batch encrypt deep/in', 'sealfile batch encrypt deep/inner.txt'],
  ['sealfile -k keyr', 'sealfile -k keyring.json'],
  ['sealfile cat --keyring=keyr', 'sealfile cat --keyring=keyring.json'],
  // What is a value is neither completed as a path nor taken for a command.
  ['sealfile cat -p rep', 'sealfile cat -p rep'],
  ['sealfile -k keys en', 'sealfile -k keys encrypt'],
  ['sealfile encrypt batch --stre', 'sealfile encrypt batch --stream'],
  // Where a command is wanted, there are no files.
  ['sealfile repo', 'sealfile repo'],
  ['sealfile keys keyr', 'sealfile keys keyr'],
]

const TAB = '\t'
/** Lets the shell note its line, and begin another. */
const NOTE = '\x14'
const END = '\x04'

/** Where a shell looks when it starts, and how it is started so that it looks nowhere else. */
const SHELLS = {
  bash: { file: 'start.bash', command: 'bash --noprofile --rcfile start.bash -i' },
  zsh: { file: 'start/.zshrc', command: 'ZDOTDIR=start zsh -d -i' },
}
const BASH = `PS1='ready '; eval "$(sealfile completion bash)"
note() { printf '%s\\n' "$READLINE_LINE" >> seen; READLINE_LINE=''; READLINE_POINT=0; }; bind -x '"\\C-t": note'`
const ZSH = `PS1='ready '; autoload -Uz compinit; compinit -u -D; eval "$(sealfile completion zsh)"
note() { print -r -- "$BUFFER" >> seen; BUFFER=''; }; zle -N note; bindkey '^T' note`

/** @returns what the lines are after the Tab key, at a terminal. */
async function typeAt(shell: keyof typeof SHELLS, start: string, lines: readonly string[]): Promise<string[]> {
  const { file, command } = SHELLS[shell]
  folder.write(file, start)
  folder.write('seen', '')
  const typed = lines.map((line) => line + TAB + NOTE).join('')
  const { stdout } = await folder.terminalLine(command, [['ready', typed + END]], { env: { TERM: 'xterm', HOME: folder.path } })
  expect(stdout).not.toMatch(/not found|error/i)
  // Of an option that takes a value, zsh shows a sign that goes away with the next space.
  return readFileSync(at('seen'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/[ =]$/, ''))
}

/** @returns for each line what fish offers, with what it says of it. */
async function offersOfFish(lines: readonly string[]): Promise<string[][]> {
  const asking = lines.map((line) => `complete -C '${line}'; echo next`)
  folder.write('start.fish', ['sealfile completion fish | source', ...asking].join('\n'))
  const { stdout, stderr, status } = await folder.shell('fish --no-config start.fish')
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
  return stdout
    .split('next\n')
    .slice(0, -1)
    .map((part) => part.split('\n').slice(0, -1))
}

/** Why a shell cannot be tried here; undefined where it can. */
function faultOf(shell: string): string | undefined {
  return spawnSync(shell, ['--version']).status === 0 ? undefined : `${shell} is not installed`
}

const BASH_FAULT = NO_TERMINAL ?? faultOf('bash')
const ZSH_FAULT = NO_TERMINAL ?? faultOf('zsh')
const FISH_FAULT = faultOf('fish')
const because = (fault: string | undefined): string => (fault === undefined ? '' : `, but ${fault}`)

const TYPED = LINES.map(([typed]) => typed)
const COMPLETED = LINES.map(([, completed]) => completed)

beforeAll(() => {
  mkdirSync(at('deep'))
  mkdirSync(at('start'))
  for (const name of ['report one.txt', 'deep/inner.txt']) folder.write(name, '')
})

describe('commands, options, values and paths are completed', () => {
  test.skipIf(BASH_FAULT !== undefined)(`by bash${because(BASH_FAULT)}`, async () => {
    expect(await typeAt('bash', BASH, TYPED)).toEqual(COMPLETED)
  })

  test.skipIf(ZSH_FAULT !== undefined)(`by zsh${because(ZSH_FAULT)}`, async () => {
    expect(await typeAt('zsh', ZSH, TYPED)).toEqual(COMPLETED)
  })

  test.skipIf(ZSH_FAULT !== undefined)(`by zsh, the first time, from a folder of fpath${because(ZSH_FAULT)}`, async () => {
    await folder.shell('sealfile completion zsh > start/_sealfile')
    const start = ZSH.replace(/eval .*/, '').replace('autoload', 'fpath=(start $fpath); autoload')
    expect(await typeAt('zsh', start, ['sealfile keys chan'])).toEqual(['sealfile keys change-passphrase'])
  })

  test.skipIf(FISH_FAULT !== undefined)(`by fish${because(FISH_FAULT)}`, async () => {
    const words = (await offersOfFish(TYPED)).map((offers) => offers.map((offer) => offer.split('\t')[0]))
    const last = ([typed, completed]: readonly [string, string]): string =>
      completed.slice(typed.lastIndexOf(' ') + 1).replaceAll('\\', '')
    expect(words).toEqual(LINES.map((line) => (line[0] === line[1] ? [] : [last(line)])))
  })

  test.skipIf(FISH_FAULT !== undefined)(`by fish, with what they mean${because(FISH_FAULT)}`, async () => {
    const meanings = [['rotate\tmake a new master key'], ['--offset\tleave out the beginning']]
    expect(await offersOfFish(['sealfile keys ro', 'sealfile cat --of'])).toEqual(meanings)
  })
})

test('there is a script for no other shell', async () => {
  expect((await folder.run(['completion', 'csh'])).status).toBe(2)
})
