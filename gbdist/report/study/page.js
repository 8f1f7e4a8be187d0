// Ties charts and table of a search together: what is pointed at, and what is chosen.
'use strict'
const tip = document.createElement('div')
tip.className = 'tip'
tip.setAttribute('role', 'status')
tip.hidden = true
document.body.append(tip)

const table = document.querySelector('[data-table=trials]')
const model = (name) => window.Bokeh && Bokeh.documents.length ? Bokeh.documents[0].get_model_by_name(name) : null
const short = (value) => Number.isFinite(value) ? String(Number(value.toPrecision(6))) : 'none'

// A row of the source in words.
function told(source, row) {
  const at = (name) => source.get_column(name)[row]
  const lines = [[`trial ${at('number')}`, FACTS.states[at('state')]], [FACTS.score, short(at('value'))]]
  for (const [name, column, choices] of FACTS.lines) {
    const value = at(column)
    if (Number.isFinite(value)) lines.push([name, choices.length ? choices[Math.round(value)] : short(value)])
  }
  if (Number.isFinite(at('seconds'))) lines.push(['seconds', short(at('seconds'))])
  return lines
}

function mark(source, row) {
  const columns = {}
  for (const name of source.columns()) columns[name] = row == null ? [] : [source.get_column(name)[row]]
  model('pointed').data = columns
}

// Charts call these as the pointer moves. The nearest trial within NEAR pixels is marked in all charts, and told beside the pointer.
const NEAR = 9
let pointed = -1
window.pointAt = (event, plot, source, nearest, given) => {
  const start = given.log ? Math.log(plot.x_range.start) : plot.x_range.start
  const end = given.log ? Math.log(plot.x_range.end) : plot.x_range.end
  const scale = {x: plot.inner_width / (end - start), y: plot.inner_height / (plot.y_range.end - plot.y_range.start)}
  const row = nearest(event, source, scale, given)
  if (row < 0) return window.pointAway(source)
  if (!tip.hidden && row === pointed) return
  pointed = row
  mark(source, row)
  tip.replaceChildren(...told(source, row).map(([name, value]) => {
    const line = document.createElement('div')
    const label = document.createElement('span')
    label.textContent = name
    line.append(label, ` ${value}`)
    return line
  }))
  tip.hidden = false
}
window.pointAway = (source) => {
  if (tip.hidden) return
  tip.hidden = true
  mark(source, null)
}

// Of the rows that are drawn the one with the least distance; of equal ones the last, which lies on top. Where some are chosen,
// one of them.
function least(source, rows, distance) {
  const chosen = new Set(source.selected.indices)
  let found = -1, best = NEAR
  for (const row of rows) {
    const away = distance(row)
    if (away <= best && (!chosen.size || chosen.has(row))) [found, best] = [row, away]
  }
  return found
}
const drawn = (source, given) => given.rows ?? source.get_column('number').keys()
window.amongMarks = (event, source, scale, given) => {
  const [xs, ys] = [source.get_column(given.x), source.get_column(given.y)]
  const x = (value) => (given.log ? Math.log(value) : value) * scale.x
  return least(source, drawn(source, given), (row) => Math.hypot(x(xs[row]) - x(event.x), (ys[row] - event.y) * scale.y))
}
const apart = (event, x0, y0, x1, y1, scale) => {
  const slope = (y1 - y0) / (x1 - x0)
  return Math.abs(y0 + slope * (event.x - x0) - event.y) * scale.y / Math.hypot(1, slope * scale.y / scale.x)
}
window.amongLines = (event, source, scale, given) => {
  const left = Math.min(Math.max(Math.floor(event.x), 0), given.axes - 2)
  const [ys, nexts] = [source.get_column(`y_${left}`), source.get_column(`y_${left + 1}`)]
  return least(source, drawn(source, given), (row) => apart(event, left, ys[row], left + 1, nexts[row], scale))
}
window.amongCurves = (event, source, scale, given) => {
  const [xs, ys] = [given.curves.get_column('x'), given.curves.get_column('y')]
  const curves = new Map([...given.curves.get_column('place')].map((place, curve) => [place, curve]))
  return least(source, curves.keys(), (row) => {
    const [x, y] = [xs[curves.get(row)], ys[curves.get(row)]]
    const right = x.findIndex((one) => one >= event.x)
    return right < 1 ? Infinity : apart(event, x[right - 1], y[right - 1], x[right], y[right], scale)
  })
}

document.addEventListener('pointermove', (event) => {
  const right = event.clientX > innerWidth / 2
  tip.style.left = right ? 'auto' : `${event.clientX + 14}px`
  tip.style.right = right ? `${innerWidth - event.clientX + 14}px` : 'auto'
  const low = event.clientY > innerHeight / 2
  tip.style.top = low ? 'auto' : `${event.clientY + 14}px`
  tip.style.bottom = low ? `${innerHeight - event.clientY + 14}px` : 'auto'
}, true)

// Sorting: by what a cell stands for, numbers as numbers; cells without a value stay last.
const compare = (one, other) => {
  const numbers = [Number(one), Number(other)]
  return numbers.some(Number.isNaN) ? one.localeCompare(other) : numbers[0] - numbers[1]
}
table.tHead.addEventListener('click', (event) => {
  const head = event.target.closest('th')
  if (!event.target.closest('button')) return
  const rising = head.getAttribute('aria-sort') !== 'ascending'
  for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort')
  head.setAttribute('aria-sort', rising ? 'ascending' : 'descending')
  const key = (row) => row.cells[head.cellIndex].dataset.key
  const [known, unknown] = [[], []]
  for (const row of table.tBodies[0].rows) (key(row) === undefined ? unknown : known).push(row)
  known.sort((one, other) => (rising ? 1 : -1) * compare(key(one), key(other)))
  table.tBodies[0].append(...known, ...unknown)
})

// The number of a trial chooses it in all charts; what is chosen there is all that the table shows.
const words = document.createElement('p')
words.className = 'chosen'
words.setAttribute('aria-live', 'polite')
const all = document.createElement('button')
all.type = 'button'
all.textContent = 'Show all trials'
all.addEventListener('click', () => { model('trials').selected.indices = [] })
table.parentElement.before(words)
for (const row of table.tBodies[0].rows) {
  const button = document.createElement('button')
  button.type = 'button'
  button.textContent = row.cells[0].textContent
  button.title = 'Show this trial in the charts'
  button.addEventListener('click', () => { model('trials').selected.indices = [Number(row.dataset.tag)] })
  row.cells[0].replaceChildren(button)
}
function showChosen(rows) {
  const chosen = new Set(rows)
  let listed = 0
  for (const row of table.tBodies[0].rows) {
    row.hidden = chosen.size > 0 && !chosen.has(Number(row.dataset.tag))
    listed += !row.hidden
  }
  const few = listed < chosen.size ? `, ${listed} of them in the table` : ''
  words.replaceChildren(...(chosen.size ? [`${chosen.size} chosen${few}. `, all] : []))
}
const ready = () => {
  const source = model('trials')
  if (!source) return void setTimeout(ready, 50)
  source.selected.properties.indices.change.connect(() => showChosen(source.selected.indices))
}
ready()
