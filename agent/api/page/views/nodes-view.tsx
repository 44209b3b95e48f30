/** Nodes: a grid coloured by state, the tree of brokers, and the actions on the selected node. */
import { useEffect, useState } from 'preact/hooks';
import { ask, get, type Node, type Nodes, sentenceOf } from '../api-client.ts';
import { Confirm } from '../dialog.tsx';
import { moment, plural } from '../format.ts';
import { type Live, useRefresh } from '../live.ts';
import { Title } from '../title.tsx';

/** The colour of a node's square: busy for nodes that are online with allocated cores. */
const lookOf = (node: Node): string => (node.state === 'online' && node.busy ? 'busy' : node.state);

export function NodesView({ live, mayWrite }: { readonly live: Live; readonly mayWrite: boolean }) {
  const [nodes, setNodes] = useState<readonly Node[]>([]);
  const [chosen, setChosen] = useState<number>();
  const [error, setError] = useState('');
  const load = async () => {
    try {
      setNodes((await get<Nodes>('/v1/nodes')).details);
      setError('');
    } catch (reason) {
      setError(sentenceOf(reason));
    }
  };
  useEffect(() => {
    void load();
  }, []);
  useRefresh(load, [live.samples.length, live.samples.at(-1)?.time], 50);
  const node = nodes.find(({ rank }) => rank === chosen);
  const counts = Map.groupBy(nodes, lookOf);
  return (
    <section aria-labelledby="nodes-title">
      <Title id="nodes-title">Nodes</Title>
      <p class="error" role="alert">
        {error}
      </p>
      <ul class="legend">
        {[...counts].map(([look, alike]) => (
          <li key={look}>
            <span class={`swatch ${look}`} aria-hidden="true" /> {alike.length} {look}
          </li>
        ))}
      </ul>
      <ul class="grid" aria-label={plural(nodes.length, 'node')}>
        {nodes.map((each) => (
          <li key={each.rank}>
            <button
              type="button"
              class={`node ${lookOf(each)}`}
              aria-pressed={each.rank === chosen}
              aria-label={`${each.host}, rank ${each.rank}: ${lookOf(each)}, ${each.coresAllocated} of ${each.cores} cores in use`}
              title={`${each.host}: ${lookOf(each)}`}
              onClick={() => setChosen(each.rank)}
            >
              {each.rank}
            </button>
          </li>
        ))}
      </ul>
      {node && <NodePanel node={node} mayWrite={mayWrite} onChange={load} key={node.rank} />}
      <Tree nodes={nodes} chosen={chosen} />
    </section>
  );
}

interface NodePanelProps {
  readonly node: Node;
  readonly mayWrite: boolean;
  readonly onChange: () => Promise<void>;
}

function NodePanel({ node, mayWrite, onChange }: NodePanelProps) {
  const [asking, setAsking] = useState(false);
  const [error, setError] = useState('');
  const drained = node.state === 'drained' || node.state === 'draining' || node.since !== undefined;
  const undrain = async () => {
    try {
      await ask('POST', '/v1/nodes/undrain', { targets: String(node.rank) });
      setError('');
      await onChange();
    } catch (problem) {
      setError(sentenceOf(problem));
    }
  };
  return (
    <section class="panel" aria-labelledby="node-title">
      <h3 id="node-title">
        {node.host} <span class={`badge ${lookOf(node)}`}>{lookOf(node)}</span>
      </h3>
      <p>
        Rank {node.rank}
        {node.parent !== undefined && `, below rank ${node.parent}`}. {node.coresAllocated} of{' '}
        {plural(node.cores, 'core')} in use{node.gpus > 0 && `, ${plural(node.gpus, 'GPU')}`}.
        {node.subtree && ` Its subtree is ${node.subtree}.`}
      </p>
      {node.since !== undefined && (
        <p>
          Drained since {moment(node.since)}: {node.reason}
        </p>
      )}
      {mayWrite && (
        <button type="button" onClick={drained ? undrain : () => setAsking(true)}>
          {drained ? 'Undrain' : 'Drain'}
        </button>
      )}
      <p class="error" role="alert">
        {error}
      </p>
      {asking && <DrainDialog node={node} onChange={onChange} onClose={() => setAsking(false)} />}
    </section>
  );
}

interface DrainDialogProps {
  readonly node: Node;
  readonly onChange: () => Promise<void>;
  readonly onClose: () => void;
}

/** `flux resource drain` shows the reason. */
function DrainDialog({ node, onChange, onClose }: DrainDialogProps) {
  const [reason, setReason] = useState('');
  const drain = async () => {
    await ask('POST', '/v1/nodes/drain', { targets: String(node.rank), reason: reason.trim() });
    await onChange();
  };
  return (
    <Confirm title={`Drain ${node.host}?`} verb="Drain it" otherwise="Leave it" act={drain} onClose={onClose}>
      <p>No further job starts there; jobs that run go on.</p>
      <label class="field">
        <span>Reason</span>
        <input
          required
          pattern=".*\S.*"
          maxLength={1024}
          title="a few words for those who find the node drained"
          value={reason}
          onInput={(event) => setReason(event.currentTarget.value)}
          autocomplete="off"
        />
      </label>
    </Confirm>
  );
}

/** A larger tree would not be readable. */
const mostDrawn = 600;

interface TreeProps {
  readonly nodes: readonly Node[];
  readonly chosen: number | undefined;
}

/** The tree of brokers, a row for every level. For screen readers the grid above has the same information. */
function Tree({ nodes, chosen }: TreeProps) {
  if (nodes.length < 2) return null;
  if (nodes.length > mostDrawn)
    return <p class="quiet">The tree of {nodes.length} brokers is too large to draw.</p>;
  const byRank = new Map(nodes.map((node) => [node.rank, node]));
  const depthOf = ({ parent }: Node): number => {
    const above = parent === undefined ? undefined : byRank.get(parent);
    return above ? 1 + depthOf(above) : 0;
  };
  const levels: Node[][] = [];
  for (const node of nodes) {
    const depth = depthOf(node);
    levels[depth] = [...(levels[depth] ?? []), node];
  }
  const widest = Math.max(...levels.map((level) => level.length));
  const width = Math.max(320, widest * 26);
  const height = levels.length * 64;
  const places = new Map(
    levels.flatMap((level, depth) =>
      level.map((node, place) => [
        node.rank,
        { x: ((place + 0.5) / level.length) * width, y: depth * 64 + 24 },
      ]),
    ),
  );
  return (
    <section class="panel" aria-labelledby="tree-title">
      <h3 id="tree-title">Tree of brokers</h3>
      <div class="scroll">
        <svg viewBox={`0 0 ${width} ${height}`} width={width} height={height} role="img" class="tree">
          <title>{`${plural(nodes.length, 'broker')} on ${plural(levels.length, 'level')}`}</title>
          {nodes.map(({ rank, parent }) => {
            const from = parent === undefined ? undefined : places.get(parent);
            const to = places.get(rank);
            return from && to && <line key={rank} x1={from.x} y1={from.y} x2={to.x} y2={to.y} />;
          })}
          {nodes.map((node) => {
            const { x = 0, y = 0 } = places.get(node.rank) ?? {};
            return (
              <g key={node.rank} class={`broker ${lookOf(node)} ${node.rank === chosen ? 'chosen' : ''}`}>
                <circle cx={x} cy={y} r={11} />
                <text x={x} y={y + 4}>
                  {node.rank}
                </text>
              </g>
            );
          })}
        </svg>
      </div>
    </section>
  );
}
