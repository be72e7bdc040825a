/** A small registry of counters, gauges and histograms that prints Prometheus' text format 0.0.4. */

export type Labels = Readonly<Record<string, string>>;

export type MetricOptions = {
  /** `netloom_component_thing_unit`, counters end in `_total`. */
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[] | undefined;
  /** Label sets kept apart; further ones are counted together under the label value `other`. Default 200. */
  readonly maxSeries?: number | undefined;
};

export type Counter = {
  inc(labels?: Labels, by?: number): void;
  /** The series of what is no more must go. */
  remove(labels?: Labels): void;
};
export type Gauge = {
  set(value: number, labels?: Labels): void;
  add(by: number, labels?: Labels): void;
  /** The series of what is no more must go. */
  remove(labels?: Labels): void;
};
export type Histogram = { observe(value: number, labels?: Labels): void };

/** Asking for a metric again gives the same one; under another kind or other labels it throws. */
export type Registry = {
  counter(options: MetricOptions): Counter;
  gauge(options: MetricOptions): Gauge;
  histogram(options: MetricOptions & { readonly buckets: readonly number[] }): Histogram;
  /** Called before each `text`, to set gauges that are cheap to read and dull to maintain. */
  onCollect(collect: () => void): void;
  text(): string;
};

type Kind = 'counter' | 'gauge' | 'histogram';
type Series = {
  readonly labels: readonly string[];
  value: number;
  readonly counts: number[];
  count: number;
};
type Metric = {
  readonly kind: Kind;
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly buckets: readonly number[];
  readonly series: (labels: Labels | undefined) => Series;
  readonly all: Map<string, Series>;
};

export function createRegistry(): Registry {
  const metrics = new Map<string, Metric>();
  const collectors: (() => void)[] = [];

  const metric = (kind: Kind, options: MetricOptions, buckets: readonly number[] = []): Metric => {
    const held = metrics.get(options.name);
    if (held === undefined) {
      const made = createMetric(kind, options, buckets);
      metrics.set(options.name, made);
      return made;
    }
    if (held.kind !== kind || held.labels.join() !== (options.labels ?? []).join()) {
      throw new Error(`metric ${options.name} exists as another kind or with other labels`);
    }
    return held;
  };

  return {
    counter(options) {
      const { series, all } = metric('counter', options);
      return {
        inc(labels, by = 1) {
          if (by >= 0) series(labels).value += by;
        },
        remove: (labels) => void all.delete(labelValues(options, labels).join('\0')),
      };
    },
    gauge(options) {
      const { series, all } = metric('gauge', options);
      return {
        set(value, labels) {
          series(labels).value = value;
        },
        add(by, labels) {
          series(labels).value += by;
        },
        remove: (labels) => void all.delete(labelValues(options, labels).join('\0')),
      };
    },
    histogram(options) {
      const { series, buckets } = metric('histogram', options, options.buckets);
      return {
        observe(value, labels) {
          const one = series(labels);
          one.value += value;
          one.count += 1;
          const bucket = buckets.findIndex((bound) => value <= bound);
          if (bucket !== -1) one.counts[bucket] = (one.counts[bucket] ?? 0) + 1;
        },
      };
    },
    onCollect: (collect) => void collectors.push(collect),
    text() {
      for (const collect of collectors) collect();
      return [...metrics.values()].map(printMetric).join('');
    },
  };
}

function createMetric(kind: Kind, options: MetricOptions, buckets: readonly number[]): Metric {
  const { name, help, labels = [], maxSeries = 200 } = options;
  if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)) throw new Error(`metric name ${JSON.stringify(name)}`);
  if (buckets.some((bound, i) => i > 0 && bound <= (buckets[i - 1] as number))) {
    throw new Error(`metric ${name}: buckets must increase`);
  }
  const all = new Map<string, Series>();
  const fresh = (values: readonly string[]): Series => ({
    labels: values,
    value: 0,
    counts: buckets.map(() => 0),
    count: 0,
  });
  const series = (given: Labels | undefined): Series => {
    let values = labelValues(options, given);
    const held = all.get(values.join('\0'));
    if (held !== undefined) return held;
    // Labels often carry what users name; a scrape must stay bounded whatever they do.
    if (all.size >= maxSeries) values = labels.map(() => 'other');
    const key = values.join('\0');
    const one = all.get(key) ?? fresh(values);
    all.set(key, one);
    return one;
  };
  // A counter without labels is there from the start, at zero: absence would look like a missing program.
  if (labels.length === 0) series(undefined);
  return { kind, name, help, labels, buckets, series, all };
}

function labelValues({ name, labels = [] }: MetricOptions, given: Labels = {}): readonly string[] {
  for (const label of Object.keys(given)) {
    if (!labels.includes(label)) throw new Error(`metric ${name} has no label ${label}`);
  }
  return labels.map((label) => given[label] ?? '');
}

function printMetric(metric: Metric): string {
  const lines = [`# HELP ${metric.name} ${escapeHelp(metric.help)}`, `# TYPE ${metric.name} ${metric.kind}`];
  for (const series of metric.all.values()) {
    const pairs = metric.labels.map((label, i) => `${label}="${escapeLabel(series.labels[i] ?? '')}"`);
    if (metric.kind !== 'histogram') {
      lines.push(`${metric.name}${braces(pairs)} ${number(series.value)}`);
      continue;
    }
    let below = 0;
    metric.buckets.forEach((bound, i) => {
      below += series.counts[i] ?? 0;
      lines.push(`${metric.name}_bucket${braces([...pairs, `le="${number(bound)}"`])} ${below}`);
    });
    lines.push(`${metric.name}_bucket${braces([...pairs, 'le="+Inf"'])} ${series.count}`);
    lines.push(`${metric.name}_sum${braces(pairs)} ${number(series.value)}`);
    lines.push(`${metric.name}_count${braces(pairs)} ${series.count}`);
  }
  return `${lines.join('\n')}\n`;
}

function braces(pairs: readonly string[]): string {
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function number(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return String(value);
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
