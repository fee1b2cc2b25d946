// The classifier in JavaScript, forward and backward by hand, for twingrad's test vectors.
//
//   twingrad vectors run classifier -- node classifier.mjs
//
// asks it for cases, line by line. It trains on the batches of each and answers what it comes to. It updates by SGD;
// under any other optimizer, or with clipping, it gives the first step's loss and gradients alone.
//
//   node classifier.mjs VECTORS RESULTS
//
// does the same with files: from the folder VECTORS, all of them classifiers, to the folder RESULTS.

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

// --- vectors and matrices ---------------------------------------------------------------------------------------------

const zeros = (shape) => (shape.length ? Array.from({ length: shape[0] }, () => zeros(shape.slice(1))) : 0);
const shapeOf = (x) => (Array.isArray(x) ? [x.length, ...shapeOf(x[0])] : []);
const sum = (x) => x.reduce((a, b) => a + b, 0);
const dot = (x, y) => sum(x.map((a, i) => a * y[i]));
const column = (m, j) => m.map((row) => row[j]);
const map = (x, f) => (Array.isArray(x) ? x.map((part) => map(part, f)) : f(x));
const zip = (x, y, f) => (Array.isArray(x) ? x.map((part, i) => zip(part, y[i], f)) : f(x, y));

// --- layers: each returns its output and its backward pass -----------------------------------------------------------

function embeddingBag(table, batch, mode, padding) {
  const bags = batch.offsets
    ? batch.offsets.map((begin, b) => batch.ids.slice(begin, batch.offsets[b + 1]))
    : batch.ids;
  const counted = bags.map((ids) => ids.filter((id) => id !== padding));
  const width = table[0].length;
  // for each bag and column, which ids take part in what stands there
  const parts = counted.map((ids) =>
    Array.from({ length: width }, (_, j) => {
      if (mode !== "max" || !ids.length) return ids;
      const largest = Math.max(...ids.map((id) => table[id][j]));
      return [ids.find((id) => table[id][j] === largest)];
    }),
  );
  const divisor = (ids) => (mode === "mean" ? Math.max(ids.length, 1) : 1);
  const pooled = parts.map((bag) => bag.map((ids, j) => sum(ids.map((id) => table[id][j])) / divisor(ids)));
  const backward = (d) => {
    const gradient = zeros(shapeOf(table));
    parts.forEach((bag, b) =>
      bag.forEach((ids, j) => {
        for (const id of ids) gradient[id][j] += d[b][j] / divisor(ids); // an id that occurs twice gets the sum
      }),
    );
    return gradient;
  };
  const rows = [...new Set(counted.flat())].sort((a, b) => a - b);
  return [pooled, backward, rows];
}

function linear(x, weight, bias) {
  const output = x.map((row) => weight.map((w, k) => dot(w, row) + bias[k]));
  const backward = (d) => ({
    x: d.map((row) => weight[0].map((_, j) => dot(row, column(weight, j)))),
    weight: weight.map((_, k) => weight[0].map((_, j) => dot(column(d, k), column(x, j)))),
    bias: bias.map((_, k) => sum(column(d, k))),
  });
  return [output, backward];
}

// The error function by its series, and by the continued fraction of its complement where that converges faster.
function erf(x) {
  if (x < 0) return -erf(-x);
  if (x < 2.5) {
    let term = x;
    let total = x;
    for (let n = 1; Math.abs(term) > 1e-18 * total; n++) {
      term *= (-x * x) / n;
      total += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * total;
  }
  let fraction = 0;
  for (let n = 120; n > 0; n--) fraction = n / 2 / (x + fraction);
  return 1 - Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
}

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const cdf = (x) => (1 + erf(x * Math.SQRT1_2)) / 2;
const inner = (x) => Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3));
const ACTIVATIONS = {
  // the function, and its slope
  relu: [(x) => Math.max(x, 0), (x) => (x > 0 ? 1 : 0)],
  tanh: [Math.tanh, (x) => 1 - Math.tanh(x) ** 2],
  sigmoid: [sigmoid, (x) => sigmoid(x) * (1 - sigmoid(x))],
  gelu: [(x) => x * cdf(x), (x) => cdf(x) + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI)],
  gelu_tanh: [
    (x) => (x * (1 + inner(x))) / 2,
    (x) => {
      const slope = (1 - inner(x) ** 2) * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);
      return (1 + inner(x) + x * slope) / 2;
    },
  ],
};

// --- losses: each returns the loss and the gradient of the outputs ---------------------------------------------------

function mseLoss(outputs, labels, { reduction }) {
  const divisor = reduction === "mean" ? outputs.length * outputs[0].length : 1;
  const off = zip(outputs, labels, (x, y) => x - y);
  return [sum(off.map((row) => dot(row, row))) / divisor, map(off, (x) => (2 * x) / divisor)];
}

function crossEntropy(outputs, labels, options) {
  const classes = outputs[0].length;
  const weight = options.weight ?? Array(classes).fill(1);
  const smoothing = options.label_smoothing;
  let divisor = 0;
  const targets = labels.map((label) => {
    if (!options.probabilities && label === options.ignore_index) return Array(classes).fill(0);
    divisor += options.probabilities ? 1 : weight[label];
    const q = options.probabilities ? label : weight.map((_, c) => (c === label ? 1 : 0));
    return q.map((part, c) => weight[c] * ((1 - smoothing) * part + smoothing / classes));
  });
  if (options.reduction === "sum") divisor = 1;
  let loss = 0;
  const gradient = outputs.map((row, n) => {
    const largest = Math.max(...row);
    const logTotal = Math.log(sum(row.map((x) => Math.exp(x - largest)))) + largest;
    loss -= dot(targets[n], row.map((x) => x - logTotal)) / divisor;
    const whole = sum(targets[n]);
    return row.map((x, c) => (whole * Math.exp(x - logTotal) - targets[n][c]) / divisor);
  });
  return [loss, gradient];
}

// --- the model -------------------------------------------------------------------------------------------------------

function lossAndGrads(model, p, batch) {
  const [pooled, pooledBackward, rows] = embeddingBag(p["embedding.weight"], batch, model.mode, model.padding_idx);
  const [activation, slope] = ACTIVATIONS[model.activation];
  const layers = [];
  let x = pooled;
  let before = 0;
  model.hidden_features.forEach((width, i) => {
    const [hidden, backward] = linear(x, p[`fc${i + 1}.weight`], p[`fc${i + 1}.bias`]);
    const start = before;
    const keep = hidden.map((row, b) =>
      row.map((_, k) => (batch.keep ? Number(batch.keep[b][start + k]) / (1 - model.dropout) : 1)),
    );
    x = zip(map(hidden, activation), keep, (a, k) => a * k);
    layers.push({ name: `fc${i + 1}`, backward, slopes: zip(map(hidden, slope), keep, (s, k) => s * k) });
    before += width;
  });
  const last = `fc${model.hidden_features.length + 1}`;
  const [outputs, backward] = linear(x, p[`${last}.weight`], p[`${last}.bias`]);
  const lossOf = model.loss.kind === "MSELoss" ? mseLoss : crossEntropy;
  const [loss, d] = lossOf(outputs, batch.labels, model.loss);

  const grads = {};
  let down = backward(d);
  grads[`${last}.weight`] = down.weight;
  grads[`${last}.bias`] = down.bias;
  for (const layer of layers.reverse()) {
    down = layer.backward(zip(down.x, layer.slopes, (g, s) => g * s));
    grads[`${layer.name}.weight`] = down.weight;
    grads[`${layer.name}.bias`] = down.bias;
  }
  grads["embedding.weight"] = pooledBackward(down.x);
  return [loss, grads, rows];
}

// --- the update ------------------------------------------------------------------------------------------------------

function sgd(options, p, grads, buffers, step) {
  const { lr, momentum, dampening, weight_decay, nesterov } = options;
  for (const name of Object.keys(p)) {
    let update = zip(grads[name], p[name], (g, x) => g + weight_decay * x);
    if (momentum) {
      buffers[name] = step
        ? zip(buffers[name], update, (b, g) => momentum * b + (1 - dampening) * g)
        : update;
      update = nesterov ? zip(update, buffers[name], (g, b) => g + momentum * b) : buffers[name];
    }
    p[name] = zip(p[name], update, (x, u) => x - lr * u);
  }
}

function results(vector) {
  const { model, optimizer, layout, id } = vector.case;
  const updates = optimizer.kind === "SGD" && vector.case.max_norm === null && vector.case.lr_decay_to === null;
  const p = { ...vector.weights };
  const buffers = {};
  const steps = [];
  for (const [k, batch] of vector.batches.entries()) {
    const [loss, grads, rows] = lossAndGrads(model, p, batch);
    const table = grads["embedding.weight"];
    const shown = { ...grads };
    if (layout === "rows") shown["embedding.weight"] = { rows, values: rows.map((row) => table[row]) };
    if (!updates) return { version: 2, case: id, steps: [{ loss, grads: shown }] };
    sgd(optimizer, p, grads, buffers, k);
    const state = optimizer.momentum ? { state: { momentum_buffer: { ...buffers } } } : {};
    steps.push({ loss, grads: shown, params: { ...p }, ...state });
  }
  return { version: 2, case: id, steps };
}

function answer(request) {
  const { id, model } = request.case;
  if (model.kind !== "Classifier") return { version: 2, case: id, unsupported: "classifiers only" };
  return results(request);
}

// JSON has no NaN and no infinity, so they are strings.
const text = (x) => JSON.stringify(x, (_, y) => (typeof y === "number" && !Number.isFinite(y) ? String(y) : y));

const [vectors, folder] = process.argv.slice(2);
if (folder) {
  mkdirSync(folder, { recursive: true });
  const read = (file) => JSON.parse(readFileSync(join(vectors, file), "utf8"));
  for (const file of Object.keys(read("manifest.json").files))
    writeFileSync(join(folder, file), text(results(read(file))));
} else {
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    console.log(text(request.protocol ? { protocol: "twingrad", version: 2 } : answer(request)));
  }
}
