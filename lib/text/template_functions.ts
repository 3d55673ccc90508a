/** What chat templates may call, as Python's `apply_chat_template` offers it. */

/** What a template says by `raise_exception`: it does not take such messages. */
export class TemplateRefusal extends Error {}

/** A template that asks for more than it may have. */
export class TemplateExcess extends Error {}

/** @param largest the most entries of a list. */
export function templateFunctions(now: Date, largest: number): Record<string, unknown> {
  return {
    raise_exception: (message: unknown): never => {
      throw new TemplateRefusal(String(message));
    },
    range: (first: number, second?: number, step = 1): number[] =>
      range(second === undefined ? 0 : first, second ?? first, step, largest),
    strftime_now: (format: unknown): string => strftime(now, String(format)),
  };
}

function range(start: number, stop: number, step: number, largest: number): number[] {
  if (![start, stop, step].every(Number.isSafeInteger) || step === 0) {
    throw new Error('range() takes whole numbers, and no step of 0');
  }
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (length > largest) throw new TemplateExcess(`a range of ${length}, more than ${largest}`);
  return Array.from({ length }, (_, i) => start + i * step);
}

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

/** Python's directives for dates and times, in the C locale; others stay as they are. */
function strftime(date: Date, format: string): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const hour = date.getHours();
  const parts: Readonly<Record<string, string>> = {
    '%a': days[date.getDay()]!.slice(0, 3),
    '%A': days[date.getDay()]!,
    '%b': months[date.getMonth()]!.slice(0, 3),
    '%B': months[date.getMonth()]!,
    '%d': two(date.getDate()),
    '%H': two(hour),
    '%I': two(hour % 12 || 12),
    '%m': two(date.getMonth() + 1),
    '%M': two(date.getMinutes()),
    '%p': hour < 12 ? 'AM' : 'PM',
    '%S': two(date.getSeconds()),
    '%y': two(date.getFullYear() % 100),
    '%Y': String(date.getFullYear()),
    '%%': '%',
  };
  return format.replace(/%[A-Za-z%]/g, (directive) => parts[directive] ?? directive);
}
