/** What the settings of a pod must be together. */
import { parseTopology } from '../cluster/topology.ts';
import { messageOf } from '../errors.ts';
import type { PodFacts } from '../pod/facts.ts';
import { parsePodHostname } from '../pod/identity.ts';
import { lacksTokens } from './api-token-required.ts';
import type { SettingValues } from './configuration.ts';
import type { SettingProblem, Sources } from './layers.ts';
import { thePod } from './pod-layer.ts';
import { environmentName, type SettingName, settings } from './settings.ts';

/** Required settings without a value. */
export function missing(values: SettingValues, sources: Sources): SettingProblem[] {
  const absent = (name: SettingName, expected: string): SettingProblem[] =>
    sources[name] === undefined ? [{ name: environmentName(name), expected }] : [];
  const alone = (values.maxSize ?? values.size ?? 1) === 1 && values.hosts === undefined;
  return [
    ...absent('size', 'the number of pods, from 1'),
    ...absent('index', "this pod's completion index: neither JOB_COMPLETION_INDEX nor the hostname has it"),
    ...absent('cluster', "the Job's name: the hostname does not have it"),
    // A chosen interface without an address is a contradiction (below).
    ...(sources.interface ? [] : absent('address', "this pod's address: no interface has one")),
    ...(alone
      ? []
      : [
          ...absent(
            'service',
            'the headless Service: set subdomain in the pod template, so that /etc/hosts names it',
          ),
          ...absent('namespace', 'the namespace: neither /etc/hosts nor /etc/resolv.conf has it'),
        ]),
  ];
}

/** Settings of which each is right, but not all together. */
export function contradictions(values: SettingValues, sources: Sources, facts: PodFacts): SettingProblem[] {
  const problems: SettingProblem[] = [];
  const complain = (name: SettingName, expected: string) => {
    const source = sources[name]?.source;
    const written = source === undefined || source === thePod ? environmentName(name) : source;
    problems.push({ name: written, value: values[name], expected });
  };
  const { size, index, cluster, mode, tasks, hosts, leader, topo } = values;
  const maxSize = values.maxSize ?? size;
  if (size !== undefined && values.minSize !== undefined && values.minSize > size) {
    complain('minSize', `at most the size, ${size}`);
  }
  if (size !== undefined && maxSize !== undefined && maxSize < size)
    complain('maxSize', `at least the size, ${size}`);
  if (index !== undefined && maxSize !== undefined && index >= maxSize && hosts === undefined) {
    complain(
      'index',
      `an index below the ${maxSize} hosts of the instance (FLUX_POD_MAX_SIZE, else FLUX_POD_SIZE)`,
    );
  }
  const named = parsePodHostname(facts.hostname);
  if (named && named.cluster === cluster && index !== undefined && named.index !== index) {
    complain('index', `${named.index}, which the hostname ${facts.hostname} ends in`);
  }
  if (values.idleTimeout === 0) complain('idleTimeout', 'more than 0 s, or no such setting for no limit');
  if (mode !== 'submit' && tasks !== undefined) complain('tasks', 'FLUX_POD_MODE=submit with it');
  if (leader !== undefined && hosts === undefined)
    complain('leader', 'FLUX_POD_HOSTS with it: the ranks of both clusters');
  if (values.address !== undefined && !holds(facts, values.address)) {
    complain('address', `an address that an interface of this pod holds (${listAddresses(facts)})`);
  }
  if (
    values.interface !== undefined &&
    !facts.interfaces.some((held) => held.interface === values.interface)
  ) {
    complain(
      'interface',
      `an interface that has an address (${[...new Set(facts.interfaces.map((held) => held.interface))].join(', ')})`,
    );
  }
  if (lacksTokens(values)) {
    complain(
      'apiTokens',
      'the mounted Secret with the tokens of the API, or FLUX_POD_API_LISTEN=127.0.0.1:8052 for this pod only',
    );
  }
  if ((values.apiTlsCert === undefined) !== (values.apiTlsKey === undefined)) {
    complain(
      values.apiTlsCert === undefined ? 'apiTlsCert' : 'apiTlsKey',
      'both certificate and key, or neither',
    );
  }
  if (topo !== undefined) {
    try {
      parseTopology(topo);
    } catch (error) {
      complain('topo', `${settings.topo.expected} (${messageOf(error)})`);
    }
  }
  return problems;
}

/** Any address of 127.0.0.0/8 can be bound to where a loopback interface is up. */
const holds = (facts: PodFacts, address: string): boolean =>
  address.startsWith('127.') || facts.interfaces.some((held) => held.address === address);

const listAddresses = (facts: PodFacts): string =>
  facts.interfaces.map(({ address }) => address).join(', ') || 'none';
