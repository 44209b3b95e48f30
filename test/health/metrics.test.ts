import { describe, expect, it, vi } from 'vitest';
import { instant } from '../../agent/clock.ts';
import { metricsText } from '../../agent/health/metrics.ts';
import { probeResult } from '../../agent/health/probes.ts';
import { now, podStateOf } from '../support/agent/pod-state.ts';

describe('metrics', () => {
  const state = podStateOf({
    state: 'run',
    change: ({ broker }) => {
      if (broker) broker.online = [0, 1, 2];
    },
  });
  const text = metricsText(state, { run: 2, inactive: 40 }, now);

  it.each([
    'flux_pod_phase_seconds_total{phase="broker"} 10',
    'flux_pod_broker_state{state="run"} 1',
    'flux_pod_broker_state{state="quorum"} 0',
    'flux_pod_broker_answers 1',
    'flux_pod_brokers_started_total 1',
    'flux_pod_nodes_online 3',
    'flux_pod_nodes 4',
    'flux_pod_jobs{state="run"} 2',
    'flux_pod_jobs{state="inactive"} 40',
    'flux_pod_probe_success{probe="ready"} 1',
  ])('have the sample %s', (sample) => {
    expect(text.split('\n')).toContain(sample);
  });

  it('have the demand of the queue where it is known', () => {
    expect(text).not.toMatch(/wanted|idle/);
    const change = (pod: { demand: unknown }) => {
      pod.demand = { wanted: 6, busy: 2, idle: 1, active: 9, unfit: [], unfitCount: 0 };
    };
    const lines = metricsText(podStateOf({ state: 'run', change }), undefined, now).split('\n');
    expect(lines).toEqual(expect.arrayContaining(['flux_pod_nodes_wanted 6', 'flux_pod_nodes_idle 1']));
  });

  it('are of the text format 0.0.4: help and type before the samples of each name, which appear once', () => {
    const names = new Set<string>();
    let current = '';
    for (const line of text.trimEnd().split('\n')) {
      const [, help] = /^# HELP (\S+) \S/.exec(line) ?? [];
      const [, type] = /^# TYPE (\S+) (counter|gauge)$/.exec(line) ?? [];
      if (help) {
        expect(names).not.toContain(help);
        names.add(help);
        current = help;
      } else if (type) expect(type).toBe(current);
      else
        expect(line).toMatch(
          new RegExp(`^${current}(\\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\\})? \\d+(\\.\\d+)?$`),
        );
    }
    expect([...names].every((name) => name.startsWith('flux_pod_'))).toBe(true);
  });

  it('have the results of the probes, and count seconds by the monotonic clock', () => {
    const since = instant();
    const follower = podStateOf({
      set: { index: 1 },
      state: 'run',
      change: ({ broker }) => {
        if (broker) broker.heartbeat = { at: since, periodMs: 2000 };
      },
    });
    const pod = { ...follower, phases: [{ phase: 'broker', since }] as const };
    try {
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
      expect(probeResult('ready', pod)).toMatchObject({ ok: true });
      const lines = metricsText(pod, undefined).split('\n');
      expect(lines).toContain('flux_pod_probe_success{probe="ready"} 1');
      const spent = lines.find((line) => line.startsWith('flux_pod_phase_seconds_total{phase="broker"}'));
      expect(Number(spent?.split(' ')[1])).toBeLessThan(3600);
    } finally {
      vi.useRealTimers();
    }
  });

  it('of a follower have no jobs and no nodes online', () => {
    const follower = metricsText(podStateOf({ set: { index: 1 }, state: 'run' }), undefined, now);
    expect(follower).not.toMatch(/flux_pod_(jobs|nodes_online)/);
  });
});
