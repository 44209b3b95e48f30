/**
 * `/metrics` in the text format of Prometheus, version 0.0.4. Thirty lines of our own: the usual library would wake the process for
 * its own figures, which is noise beside MPI.
 */

import { type Instant, instant } from '../clock.ts';
import { brokerStates } from '../flux/services/state-machine.ts';
import { phases } from '../pod/phase.ts';
import { answers, stateOf } from './broker-status.ts';
import type { PodState } from './pod-state.ts';
import { probeResult, probes } from './probes.ts';

interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

const flag = (on: boolean): number => (on ? 1 : 0);

export function metricsText(
  podState: PodState,
  jobs: Readonly<Record<string, number>> | undefined,
  now: Instant = instant(),
): string {
  const { broker, membership, demand } = podState;
  const state = stateOf(broker);
  const leads = membership?.rank === 0;
  return [
    family(
      'flux_pod_phase_seconds_total',
      'counter',
      'Seconds that the pod has spent in each phase of its life.',
      [...timeInPhases(podState, now)],
    ),
    family('flux_pod_dns_queries_total', 'counter', 'DNS queries sent to name servers.', [
      { value: podState.dnsQueries },
    ]),
    family(
      'flux_pod_brokers_started_total',
      'counter',
      'Broker processes started, or found by attach; all but the first are restarts.',
      [{ value: podState.brokersStarted }],
    ),
    family('flux_pod_broker_state', 'gauge', 'The state of the broker: 1 for that state, 0 for each other.', [
      ...(broker
        ? brokerStates.map((name) => ({ labels: { state: name }, value: flag(name === state) }))
        : []),
    ]),
    family('flux_pod_broker_answers', 'gauge', 'Whether the broker has answered the last request.', [
      ...(broker ? [{ value: flag(answers(broker)) }] : []),
    ]),
    family('flux_pod_probe_success', 'gauge', 'Whether each probe succeeds.', [
      ...probes.map((probe) => ({ labels: { probe }, value: flag(probeResult(probe, podState, now).ok) })),
    ]),
    family('flux_pod_nodes_online', 'gauge', 'Brokers of the instance that are online (leader).', [
      ...(leads && broker?.online ? [{ value: broker.online.length }] : []),
    ]),
    family('flux_pod_nodes', 'gauge', 'Hosts that the configuration names.', [
      ...(membership ? [{ value: membership.size }] : []),
    ]),
    family(
      'flux_pod_nodes_wanted',
      'gauge',
      'Brokers with which all jobs run that can run now (leader of an elastic instance).',
      demand ? [{ value: demand.wanted }] : [],
    ),
    family(
      'flux_pod_nodes_idle',
      'gauge',
      'Brokers online without a job (leader of an elastic instance).',
      demand ? [{ value: demand.idle }] : [],
    ),
    family('flux_pod_jobs', 'gauge', 'Jobs by state (leader).', [
      ...Object.entries(jobs ?? {}).map(([name, value]) => ({ labels: { state: name }, value })),
    ]),
  ].join('');
}

function timeInPhases({ phases: history }: PodState, now: Instant): Sample[] {
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
