/**
 * Runs parts of the bench in Chromium and prints their figures: `npm run bench`, or some of it by name. Every figure
 * stands beside the raw browser API, or what it names, in the same browser and the same minute.
 */

import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { type Figure, middle } from './figure.ts'
import { named, PARTS, SETS } from './parts.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    full: { type: 'boolean', default: false },
    repeat: { type: 'string', default: '1' },
    report: { type: 'string' },
  },
})
const names = named(positionals.length > 0 ? positionals : ['default'])
const repeat = Number(values.repeat)
if (names === undefined || !Number.isInteger(repeat) || repeat < 1) {
  const sets = Object.entries(SETS).map(([name, parts]) => `  ${name}: ${parts.join(' ')}`)
  process.stderr.write(
    [
      'npm run bench -- [--full] [--repeat N] [part ...]',
      `parts: ${Object.keys(PARTS).join(' ')}`,
      ...sets,
      '--full takes the rounds and sizes of the goals; --repeat tells the run in the middle and the range\n',
    ].join('\n'),
  )
  process.exit(2)
}

const told: (Figure & { part: string; ratios: number[] })[] = []
for (const part of names) {
  const runs: Figure[][] = []
  for (let run = 0; run < repeat; run++) runs.push((await PARTS[part]?.({ full: values.full })) ?? [])
  for (let index = 0; index < (runs[0]?.length ?? 0); index++) {
    const same = runs.flatMap((run) => run[index] ?? [])
    const figure = middle(same)
    if (figure === undefined) continue
    const ratios = same.map(({ ratio }) => ratio).toSorted((a, b) => a - b)
    told.push({ part, ...figure, ratios })
    print(figure, ratios)
  }
}
if (values.report !== undefined) await writeFile(values.report, `${JSON.stringify(told, null, 2)}\n`)
process.exitCode = told.every(({ good }) => good) ? 0 : 1

function print({ name, unit, headwater, raw, ratio, goal, good }: Figure, ratios: number[]): void {
  const number = (value: number) => value.toLocaleString('en', { maximumSignificantDigits: 3 })
  const range = ratios.length > 1 ? ` (${number(ratios[0] ?? 0)}-${number(ratios.at(-1) ?? 0)})` : ''
  const mark = goal === '' ? '    ' : good ? 'ok  ' : 'MISS'
  const wanted = goal === '' ? '' : `, goal ${goal}`
  process.stdout.write(
    `${mark} ${name}: ${number(headwater)} against ${number(raw)} ${unit}, ratio ${number(ratio)}${range}${wanted}\n`,
  )
}
