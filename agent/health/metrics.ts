/**
 * `/metrics` in the text format of Prometheus, version 0.0.4. Thirty lines of our own: the usual library would wake the process for
 * its own figures, which is noise beside MPI.
 */
import { brokerStates } from '../flux/services/state-machine.ts';
import { instant } from '../instant.ts';
import { phases } from '../pod/phase.ts';
import { answers, type Observations, stateOf } from './observations.ts';
import { judge, probes } from './verdict.ts';

interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

const flag = (on: boolean): number => (on ? 1 : 0);

export function metricsText(
  observations: Observations,
  jobs: Readonly<Record<string, number>> | undefined,
  now: number = instant(),
): string {
  const { broker } = observations;
  const state = stateOf(broker);
  const leads = observations.membership?.rank === 0;
  return [
    family(
      'flux_pod_phase_seconds_total',
      'counter',
      'Seconds that the pod has spent in each phase of its life.',
      [...timeInPhases(observations, now)],
    ),
    family('flux_pod_dns_queries_total', 'counter', 'Questions asked of name servers.', [
      { value: observations.dnsQueries },
    ]),
    family(
      'flux_pod_brokers_started_total',
      'counter',
      'Broker processes started, or found by attach; all but the first are restarts.',
      [{ value: observations.brokersStarted }],
    ),
    family('flux_pod_broker_state', 'gauge', 'The state that the broker is in (1), of all that there are.', [
      ...(broker
        ? brokerStates.map((name) => ({ labels: { state: name }, value: flag(name === state) }))
        : []),
    ]),
    family('flux_pod_broker_answers', 'gauge', 'Whether the broker answers what it was asked last.', [
      ...(broker ? [{ value: flag(answers(broker)) }] : []),
    ]),
    family('flux_pod_probe_success', 'gauge', 'What each probe would say.', [
      ...probes.map((probe) => ({ labels: { probe }, value: flag(judge(probe, observations, now).ok) })),
    ]),
    family('flux_pod_nodes_online', 'gauge', 'Brokers of the instance that are online (leader).', [
      ...(leads && broker?.online ? [{ value: broker.online.length }] : []),
    ]),
    family('flux_pod_nodes', 'gauge', 'Hosts that the configuration names.', [
      ...(observations.membership ? [{ value: observations.membership.size }] : []),
    ]),
    family('flux_pod_jobs', 'gauge', 'Jobs by state (leader).', [
      ...Object.entries(jobs ?? {}).map(([name, value]) => ({ labels: { state: name }, value })),
    ]),
  ].join('');
}

function timeInPhases({ phases: history }: Observations, now: number): Sample[] {
  const spent = new Map(phases.map((phase) => [phase, 0]));
  history.forEach(({ phase, since }, place) => {
    const until = history[place + 1]?.since ?? now;
    spent.set(phase, (spent.get(phase) ?? 0) + until - since);
  });
  return [...spent].map(([phase, milliseconds]) => ({ labels: { phase }, value: milliseconds / 1000 }));
}

/** One metric with its help and type; nothing where it has no sample. */
function family(name: string, type: 'counter' | 'gauge', help: string, samples: readonly Sample[]): string {
  if (samples.length === 0) return '';
  const lines = samples.map(({ labels = {}, value }) => {
    const pairs = Object.entries(labels).map(
      ([label, text]) => `${label}="${text.replace(/[\\"\n]/g, '\\$&')}"`,
    );
    return `${name}${pairs.length > 0 ? `{${pairs.join(',')}}` : ''} ${value}`;
  });
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n');
}
