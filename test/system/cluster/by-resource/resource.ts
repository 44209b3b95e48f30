import { clusterLabel } from '../../../../controller/render/reserved/names.ts';
import { kubectl } from '../kubectl.ts';
import { applyMiniCluster, type Place, type RunningMiniCluster, until, type Wanted } from '../minicluster.ts';

export interface SeenResource {
  readonly metadata: { readonly uid: string; readonly generation: number };
  readonly status?: {
    readonly conditions: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
    }[];
    readonly state: string;
    readonly size: number;
    readonly brokersOnline: number;
    readonly exitCode?: number;
    readonly message?: string;
    readonly jobs?: { readonly pending: number; readonly running: number; readonly inactive: number };
  };
}

/** A MiniCluster that a controller reconciles. */
export interface ReconciledMiniCluster extends RunningMiniCluster {
  readonly resource: () => Promise<SeenResource>;
  /** A JSON merge patch of the MiniCluster. */
  readonly patch: (patch: object) => Promise<unknown>;
  /** Waits for the status to hold something; its last state is in the error when the time is up. */
  readonly becomes: (
    what: string,
    holds: (status: NonNullable<SeenResource['status']>) => boolean,
    seconds?: number,
  ) => Promise<void>;
  /** Objects of the kinds that the controller owns, as `kind/name`. */
  readonly owned: () => Promise<string[]>;
}

const ownedKinds = 'services,configmaps,secrets,networkpolicies,poddisruptionbudgets,deployments,jobs';

export async function applyReconciled(place: Place, wanted: Wanted): Promise<ReconciledMiniCluster> {
  const running = await applyMiniCluster(place, wanted);
  const { namespace } = place;
  const { name } = wanted;
  const resource = async (): Promise<SeenResource> =>
    JSON.parse(await kubectl(['get', 'minicluster', name, '-n', namespace, '-o', 'json']));
  return {
    ...running,
    resource,
    patch: (patch) =>
      kubectl(['patch', 'minicluster', name, '-n', namespace, '--type=merge', '-p', JSON.stringify(patch)]),
    becomes: async (what, holds, seconds = 90) => {
      let last = 'no status';
      const reached = await until(seconds, async () => {
        const { status } = await resource();
        last = JSON.stringify(status ?? last);
        return status && holds(status) ? true : undefined;
      });
      if (!reached) throw new Error(`${name} was not ${what} within ${seconds} s: ${last}`);
    },
    owned: async () => {
      const { items } = JSON.parse(
        await kubectl(['get', ownedKinds, '-n', namespace, '-l', `${clusterLabel}=${name}`, '-o', 'json']),
      );
      return items.map(
        ({ kind, metadata }: { kind: string; metadata: { name: string } }) => `${kind}/${metadata.name}`,
      );
    },
  };
}

export const isTrue = ({ conditions }: NonNullable<SeenResource['status']>, type: string): boolean =>
  conditions.some((condition) => condition.type === type && condition.status === 'True');
