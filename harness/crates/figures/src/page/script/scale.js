"use strict";

// Numbers as texts, values to pixels, and the numbers along an axis.

const NONE = "–";
const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

// JSON has no NaN, so a figure that there is not is null here; a number that is larger is no measurement.
function isNumber(value) {
  return typeof value === "number" && Math.abs(value) < 1e15;
}

function threeDigits(value) {
  return value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
}

const UNITS = {
  count: (value) => (Math.abs(value) < 100 && !Number.isInteger(value) ? value.toFixed(1) : GROUPED.format(value)),
  hundredths: (value) => value.toFixed(2),
  short: (value) => String(Number(value.toPrecision(2))),
  micros: (value) => {
    if (value < 999.5) return `${value.toFixed(0)} µs`;
    return value < 999500 ? `${threeDigits(value / 1e3)} ms` : `${threeDigits(value / 1e6)} s`;
  },
  bytes: (value) => {
    const size = Math.abs(value);
    const [unit, name] = size < 999.5 ? [1, "B"] : size < 999500 ? [1e3, "kB"] : [1e6, "MB"];
    return `${(value / unit).toFixed(size / unit < 9.95 && unit > 1 ? 1 : 0)} ${name}`;
  },
  percent: (value) => `${value.toFixed(Math.abs(value) < 9.95 ? 1 : 0)} %`,
};

function format(value, unit) {
  return isNumber(value) ? UNITS[unit](value) : NONE;
}

// Along an axis a round number has no zeros behind the point, unless its neighbours need the digits.
function formatTick(value, unit, all) {
  if (unit === "hundredths" && !all.every(Number.isInteger)) return format(value, unit);
  const small = ["count", "hundredths"].includes(unit) && Math.abs(value) < 1;
  const [number, ...rest] = format(value, small ? "short" : unit).split(" ");
  const short = number.includes(".") ? number.replace(/0+$/, "").replace(/\.$/, "") : number;
  return [short, ...rest].join(" ");
}

function linearScale([low, high], [from, to]) {
  return {
    place: (value) => from + ((value - low) / (high - low)) * (to - from),
    ticks: (most) => linearTicks(low, high, most),
  };
}

function logScale([low, high], [from, to]) {
  const [least, span] = [Math.log(low), Math.log(high / low)];
  return {
    // An interval may reach down to nothing, which no logarithm has; it ends at the axis.
    place: (value) => from + (Math.max(Math.log(Math.max(value, Number.MIN_VALUE)) - least, 0) / span) * (to - from),
    ticks: (most) => logTicks(low, high, most),
  };
}

// Round numbers: 1, 2 or 5 times a power of ten apart.
function linearTicks(low, high, most) {
  const raw = (high - low) / most;
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * unit).find((n) => n >= raw * 0.999);
  const [first, last] = [Math.ceil(low / step - 1e-9), Math.floor(high / step + 1e-9)];
  return Array.from({ length: last - first + 1 }, (_, n) => Number(((first + n) * step).toPrecision(12)));
}

// 1, 2 and 5 of each power of ten, and more between where there is hardly one; only the powers, or every second one
// and so on, where these are too many.
function logTicks(low, high, most) {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const powers = Array.from({ length: last - first + 1 }, (_, n) => first + n);
  const within = (values) => values.filter((value) => value >= low * 0.999 && value <= high * 1.001);
  const of = (digits) => within(powers.flatMap((power) => digits.map((n) => Number((n * 10 ** power).toPrecision(3)))));
  const finer = high / low < 20 ? [of([1, 1.2, 1.5, 2, 3, 4, 5, 6, 8]), of([1, 1.5, 2, 3, 5, 7]), of([1, 2, 3, 5, 8])] : [];
  const between = finer.find((set) => set.length >= 3 && set.length <= most);
  if (between) return between;
  const fine = of([1, 2, 5]);
  if (fine.length < 3) return linearTicks(low, high, most).filter((value) => value > 0);
  if (fine.length <= most) return fine;
  const coarse = within(powers.map((power) => Number((10 ** power).toPrecision(3))));
  return coarse.filter((_, at) => at % Math.ceil(coarse.length / most) === 0);
}

// The axis for these values; without a logarithm it begins at 0.
function valueScale(values, logarithmic, ends) {
  if (!logarithmic) return linearScale([Math.min(0, ...values), Math.max(...values, Number.EPSILON) * 1.06], ends);
  const positive = values.filter((value) => value > 0);
  const [low, high] = [Math.min(...positive), Math.max(...positive)];
  // At least a factor of four: a difference of a few per cent must not fill the picture.
  const room = Math.max((high / low) ** 0.06, Math.sqrt((4 * low) / high), 1.05);
  return logScale([low / room, high * room], ends);
}
