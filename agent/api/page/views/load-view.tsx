/** Nodes, cores in use, and jobs that wait and run, over time. */
import type { Sample } from '../../event-hub.ts';
import { clock } from '../format.ts';
import { Title } from '../title.tsx';
import { gapSeconds, gapsOf } from './sample-gaps.ts';

interface Line {
  readonly name: string;
  readonly look: string;
  /** Undefined where the sample does not have it. */
  readonly of: (sample: Sample) => number | undefined;
}

const nodeLines: readonly Line[] = [
  { name: 'nodes online', look: 'up', of: ({ nodes }) => nodes.online },
  { name: 'nodes with jobs', look: 'busy', of: ({ nodes }) => nodes.allocated },
  // Over the others: it often coincides with them.
  { name: 'nodes that the queue wants', look: 'wanted', of: ({ nodes }) => nodes.wanted },
];
const coreLines: readonly Line[] = [
  { name: 'cores that are up', look: 'up', of: ({ cores }) => cores.up },
  { name: 'cores in use', look: 'busy', of: ({ cores }) => cores.allocated },
];
const jobLines: readonly Line[] = [
  {
    name: 'jobs that wait',
    look: 'sched',
    of: ({ states }) => (states.depend ?? 0) + (states.priority ?? 0) + (states.sched ?? 0),
  },
  { name: 'jobs that run', look: 'run', of: ({ states }) => (states.run ?? 0) + (states.cleanup ?? 0) },
];

export function Utilisation({ samples }: { readonly samples: readonly Sample[] }) {
  const last = samples.at(-1);
  return (
    <section aria-labelledby="load-title">
      <Title id="load-title">Load</Title>
      {last && (
        <dl class="facts big">
          <div>
            <dt>Cores in use</dt>
            <dd>
              {last.cores.allocated} of {last.cores.up}
            </dd>
          </div>
          <div>
            <dt>Nodes up</dt>
            <dd>
              {last.nodes.up} of {last.nodes.all}
            </dd>
          </div>
          {last.nodes.wanted !== undefined && (
            <div>
              <dt>Nodes wanted</dt>
              <dd>{last.nodes.wanted}</dd>
            </div>
          )}
          <div>
            <dt>Jobs that wait</dt>
            <dd>{jobLines[0]?.of(last)}</dd>
          </div>
          <div>
            <dt>Jobs that run</dt>
            <dd>{jobLines[1]?.of(last)}</dd>
          </div>
          <div>
            <dt>Jobs that have ended</dt>
            <dd>{last.states.inactive}</dd>
          </div>
        </dl>
      )}
      <Plot title="Nodes" lines={nodeLines} samples={samples} />
      <Plot title="Cores" lines={coreLines} samples={samples} />
      <Plot title="Jobs" lines={jobLines} samples={samples} />
    </section>
  );
}

/** Drawn for the width it is shown at, so that its text stays readable on a phone. */
const narrow = matchMedia('(max-width: 46rem)');
const size = { width: 720, height: 180, left: 44, bottom: 24, top: 10, right: 10 };

function Plot(props: {
  readonly title: string;
  readonly lines: readonly Line[];
  readonly samples: readonly Sample[];
}) {
  const { title, samples } = props;
  const now = samples.at(-1);
  // A size that does not change is not asked of the queue.
  const lines = props.lines.filter(({ of }) => now && of(now) !== undefined);
  const width = narrow.matches ? 340 : size.width;
  const first = samples[0]?.time ?? 0;
  const last = samples.at(-1)?.time ?? 1;
  const most = niceCeiling(
    Math.max(1, ...samples.flatMap((sample) => lines.map(({ of }) => of(sample) ?? 0))),
  );
  const x = (time: number) =>
    size.left + ((time - first) / Math.max(1, last - first)) * (width - size.left - size.right);
  const y = (value: number) =>
    size.height - size.bottom - (value / most) * (size.height - size.bottom - size.top);
  const path = ({ of }: Line) => {
    const points = samples.flatMap((sample) => {
      const value = of(sample);
      return value === undefined ? [] : [{ time: sample.time, value }];
    });
    return points
      .map(({ time, value }, place) => {
        const before = points[place - 1];
        const starts = !before || time - before.time > gapSeconds;
        return `${starts ? 'M' : 'L'}${x(time).toFixed(1)} ${y(value).toFixed(1)}`;
      })
      .join('');
  };
  const gaps = gapsOf(samples);
  const summary = lines.map((line) => `${line.name}: ${now ? line.of(now) : 'unknown'}`).join(', ');
  return (
    <section class="panel">
      <h3>{title}</h3>
      <ul class="legend">
        {lines.map(({ name, look }) => (
          <li key={name}>
            <span class={`swatch ${look}`} aria-hidden="true" /> {name}
          </li>
        ))}
        {gaps.length > 0 && (
          <li>
            <span class="swatch gap" aria-hidden="true" /> no samples: no page was open
          </li>
        )}
      </ul>
      <svg
        viewBox={`0 0 ${width} ${size.height}`}
        class="plot"
        role="img"
        aria-label={`${title} over time. Now ${summary}`}
      >
        {gaps.map(({ from, to }) => (
          <rect
            key={from}
            class="gap"
            x={x(from)}
            y={size.top}
            width={x(to) - x(from)}
            height={size.height - size.bottom - size.top}
          />
        ))}
        {[0, most / 2, most].map((value) => (
          <g key={value}>
            <line class="rule" x1={size.left} x2={width - size.right} y1={y(value)} y2={y(value)} />
            <text x={size.left - 6} y={y(value) + 4} class="left">
              {value}
            </text>
          </g>
        ))}
        {samples.length > 1 && (
          <>
            <text x={size.left} y={size.height - 6}>
              {clock(first)}
            </text>
            <text x={width - size.right} y={size.height - 6} class="left">
              {clock(last)}
            </text>
          </>
        )}
        {lines.map((line) => (
          <path key={line.name} class={`line ${line.look}`} d={path(line)} />
        ))}
      </svg>
    </section>
  );
}

/** 1, 2, 4, 10, 20, 40, 100, ...: a ceiling whose half is whole, or one. */
function niceCeiling(value: number): number {
  for (let unit = 1; ; unit *= 10) {
    for (const step of [2, 4, 10]) if (value <= step * unit) return step * unit;
  }
}
