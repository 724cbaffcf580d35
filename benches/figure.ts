/** One figure: headwater beside something simpler, in the same unit and the same run. */
export interface Figure {
  name: string
  unit: string
  headwater: number
  /** The raw browser API, or what `name` says. */
  raw: number
  /** headwater / raw */
  ratio: number
  /** What it has to be, as text; empty where nothing is promised. */
  goal: string
  good: boolean
}

/** What a figure has to be: of its ratio, of the figure itself, or of both. */
export interface Goal {
  ratio?: { least: number } | { most: number }
  value?: { least: number } | { most: number }
}

export function figure(name: string, unit: string, headwater: number, raw: number, goal: Goal = {}): Figure {
  const ratio = headwater / raw
  const told = [text('ratio', goal.ratio), text(unit, goal.value)].filter((each) => each !== '')
  return {
    ...{ name, unit, headwater, raw, ratio },
    goal: told.join(' and '),
    good: holds(ratio, goal.ratio) && holds(headwater, goal.value),
  }
}

/** Several runs of one figure: the one in the middle, by its ratio. */
export function middle(runs: Figure[]): Figure | undefined {
  const sorted = runs.toSorted((a, b) => a.ratio - b.ratio)
  return sorted[Math.floor((sorted.length - 1) / 2)]
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5)
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function text(what: string, goal: Goal['ratio']): string {
  if (goal === undefined) return ''
  return 'least' in goal ? `${what} >= ${goal.least}` : `${what} <= ${goal.most}`
}

function holds(value: number, goal: Goal['ratio']): boolean {
  if (goal === undefined) return true
  return 'least' in goal ? value >= goal.least : value <= goal.most
}
