/** Which pod is asked for the state of a MiniCluster's instance: pure. */
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { Pod, Secret } from 'kubernetes-types/core/v1.d.ts';
import type { HostPort } from '../../agent/address.ts';
import { parseCertificate } from '../../agent/broker/certificate/curve-certificate.ts';
import { controllerKey } from '../../agent/link/key.ts';
import type { KubernetesObject } from '../kubernetes/object.ts';
import { isSuspended, jobEnd, readyLeader } from '../reconcile/job-state.ts';
import { namesOf } from '../render/reserved/names.ts';
import { ports } from '../render/reserved/ports.ts';

export interface LeaderTarget extends HostPort {
  /** Of the pod: another pod is another target, also at the same address. */
  readonly uid: string;
  /** Of the MiniCluster's controller links. A secret. */
  readonly key: Buffer;
}

export interface LeaderSource {
  readonly namespace: string;
  readonly name: string;
  /** The MiniCluster's objects, as they are: the certificate that its pods have mounted is among them. */
  readonly owned: readonly KubernetesObject[];
  readonly job: Job | undefined;
  readonly pods: readonly Pod[];
}

/** The ready leader; undefined where there is none, and where there is no certificate that leader and controller have in common. */
export function leaderTarget({ namespace, name, owned, job, pods }: LeaderSource): LeaderTarget | undefined {
  if (!job || jobEnd(job) || isSuspended(job)) return undefined;
  // Another pod may have the labels.
  const own = pods.filter(({ metadata }) =>
    metadata?.ownerReferences?.some(({ uid }) => uid === job.metadata?.uid),
  );
  const leader = readyLeader(own);
  const { podIP: host } = leader?.status ?? {};
  const secretKey = secretKeyAmong(owned, namesOf(name).curveSecret);
  if (host === undefined || secretKey === undefined) return undefined;
  return {
    host,
    port: ports.http,
    uid: leader?.metadata?.uid ?? '',
    key: controllerKey(secretKey, { namespace, cluster: name }),
  };
}

/** Of the certificate in the Secret that is rendered. One broker alone has one only where a controller has rendered it. */
function secretKeyAmong(objects: readonly KubernetesObject[], name: string): string | undefined {
  const secret = objects.find(({ kind, metadata }) => kind === 'Secret' && metadata.name === name);
  const text = (secret as Secret | undefined)?.data?.['curve.cert'];
  if (text === undefined) return undefined;
  const reading = parseCertificate(Buffer.from(text, 'base64').toString());
  return 'certificate' in reading ? reading.certificate.secretKey : undefined;
}
