"use strict";

// Values to pixels, and the numbers along an axis.

const GROUPED = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

function format(value) {
  const size = Math.abs(value);
  if (size >= 100 || Number.isInteger(value)) return GROUPED.format(value);
  return size >= 0.1 ? value.toFixed(size >= 10 ? 1 : 2) : String(Number(value.toPrecision(2)));
}

// The numbers along a linear axis have equally many decimals; along a logarithmic one each has its own.
function formatTick(value, all) {
  if (all.every(Number.isInteger)) return format(value);
  const steps = all.slice(1).map((tick, at) => tick - all[at]);
  const isEven = steps.every((step) => Math.abs(step - steps[0]) < steps[0] * 1e-6);
  if (isEven && steps.length > 0) return value.toFixed(Math.max(0, Math.ceil(-Math.log10(steps[0]) - 1e-9)));
  return Number.isInteger(value) ? format(value) : String(Number(value.toPrecision(2)));
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

// 1, 2 and 5 of each power of ten; only the powers, or every second one and so on, where these are too many.
function logTicks(low, high, most) {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const powers = Array.from({ length: last - first + 1 }, (_, n) => first + n);
  const within = (values) => values.filter((value) => value >= low * 0.999 && value <= high * 1.001);
  const fine = within(powers.flatMap((power) => [1, 2, 5].map((n) => n * 10 ** power)));
  if (fine.length < 3) return linearTicks(low, high, most).filter((value) => value > 0);
  if (fine.length <= most) return fine;
  const coarse = within(powers.map((power) => 10 ** power));
  return coarse.filter((_, at) => at % Math.ceil(coarse.length / most) === 0);
}

// The ends of an axis for these values. Without a logarithm it begins at 0, unless there is a value to compare with: then
// what matters is the distance from there.
function domain(values, logarithmic, baseline) {
  if (logarithmic) {
    const positive = values.filter((value) => value > 0);
    const [low, high] = [Math.min(...positive), Math.max(...positive)];
    const room = Math.max((high / low) ** 0.06, 1.05);
    return [low / room, high * room];
  }
  if (baseline === null) return [Math.min(0, ...values), Math.max(...values, Number.EPSILON) * 1.06];
  const [low, high] = [Math.min(baseline, ...values), Math.max(baseline, ...values)];
  const room = Math.max(0.06 * (high - low), 0.05);
  return [Math.max(0, low - room), high + room];
}
