/** A real kube-apiserver and its etcd, on loopback, in a directory of their own (as controller-runtime's envtest; pkg/internal/testing/controlplane). */
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { KubeConfig } from '@kubernetes/client-node';
import { customResourceDefinition } from '../../../controller/install/custom-resource.ts';

export interface RealApiServer extends AsyncDisposable {
  readonly config: KubeConfig;
  /** Of the service account `system:serviceaccount:ACCOUNT`, which may do what its roles allow. */
  readonly restricted: KubeConfig;
  /** Creates an object; of any kind, `path` is its collection. */
  readonly post: (path: string, object: object) => Promise<void>;
}

const programs = ['etcd', 'kube-apiserver'] as const;

/** The first one of KUBEBUILDER_ASSETS and PATH. */
function findProgram(name: (typeof programs)[number]): string | undefined {
  const { KUBEBUILDER_ASSETS = '', PATH = '' } = process.env;
  return [KUBEBUILDER_ASSETS, ...PATH.split(delimiter)]
    .filter(Boolean)
    .map((directory) => join(directory, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** Why there is no real API server here; undefined where there is one. */
export function realApiServerUnavailable(): string | undefined {
  const missing = programs.filter((name) => !findProgram(name));
  if (missing.length === 0) return undefined;
  return `${missing.join(' and ')}: neither in KUBEBUILDER_ASSETS nor on PATH`;
}

/** Namespace and name of the one account that there is. */
export const restrictedAccount = { namespace: 'one', name: 'flux-pod-controller-mc' };

export async function startRealApiServer(): Promise<RealApiServer> {
  const directory = mkdtempSync(join(tmpdir(), 'flux-pod-apiserver-'));
  const children: ChildProcess[] = [];
  const kill = () => {
    for (const child of children) child.kill('SIGKILL');
  };
  process.once('exit', kill);
  const stop = async () => {
    const ends = children.map((child) => (child.exitCode === null ? once(child, 'exit') : undefined));
    kill();
    await Promise.all(ends);
    process.off('exit', kill);
    rmSync(directory, { recursive: true, force: true });
  };
  const start = (name: (typeof programs)[number], flags: Readonly<Record<string, string>>) => {
    const log = openSync(join(directory, `${name}.log`), 'w');
    const child = spawn(
      findProgram(name) ?? name,
      Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`),
      { cwd: directory, stdio: ['ignore', log, log] },
    );
    children.push(child);
    return () => {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(
          `${name} has ended:\n${readFileSync(join(directory, `${name}.log`), 'utf8').slice(-2000)}`,
        );
    };
  };
  try {
    const [client, peer, port] = await Promise.all([freePort(), freePort(), freePort()]);
    start('etcd', {
      'data-dir': join(directory, 'etcd'),
      'listen-client-urls': `http://127.0.0.1:${client}`,
      'advertise-client-urls': `http://127.0.0.1:${client}`,
      'listen-peer-urls': `http://127.0.0.1:${peer}`,
      'unsafe-no-fsync': 'true',
    });
    const [token, accountToken] = [randomBytes(24).toString('hex'), randomBytes(24).toString('hex')];
    const accountUser = `system:serviceaccount:${restrictedAccount.namespace}:${restrictedAccount.name}`;
    const check = start('kube-apiserver', {
      'etcd-servers': `http://127.0.0.1:${client}`,
      'cert-dir': directory,
      'bind-address': '127.0.0.1',
      'advertise-address': '127.0.0.1',
      'secure-port': String(port),
      'authorization-mode': 'RBAC',
      'token-auth-file': written(
        directory,
        'tokens.csv',
        `${token},test,test,system:masters\n${accountToken},${accountUser},account\n`,
      ),
      // Its controller, which makes the account of a namespace, does not run.
      'disable-admission-plugins': 'ServiceAccount',
      'service-cluster-ip-range': '10.0.0.0/24',
      'allow-privileged': 'true',
      'service-account-issuer': 'https://127.0.0.1/',
      ...serviceAccountKeys(directory),
    });
    const certificate = join(directory, 'apiserver.crt');
    const ask = (method: string, path: string, body?: object) =>
      askServer({ port, token, ca: readFileSync(certificate), method, path, body });
    const until = async (isSo: () => Promise<boolean>) => {
      for (;;) {
        check();
        if (existsSync(certificate) && (await isSo().catch(() => false))) return;
        await delay(100);
      }
    };
    await until(async () => (await ask('GET', '/readyz')) === 200);
    const post = async (path: string, object: object) => {
      const status = await ask('POST', path, object);
      if (status !== 201) throw new Error(`POST ${path}: ${status}`);
    };
    await post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', customResourceDefinition());
    await until(async () => (await ask('GET', '/apis/flux-framework.org/v1alpha2/miniclusters')) === 200);
    const configOf = (name: string, userToken: string) => {
      const config = new KubeConfig();
      config.loadFromClusterAndUser(
        { name: 'real', server: `https://127.0.0.1:${port}`, skipTLSVerify: false, caFile: certificate },
        { name, token: userToken },
      );
      return config;
    };
    return {
      config: configOf('test', token),
      restricted: configOf(accountUser, accountToken),
      post,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function written(directory: string, name: string, text: string): string {
  const file = join(directory, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

function serviceAccountKeys(directory: string) {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  return {
    'service-account-key-file': written(directory, 'sa.pub', publicKey),
    'service-account-signing-key-file': written(directory, 'sa.key', privateKey),
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await once(server.close(), 'close');
  return port;
}

/** Resolves to the status code. */
function askServer(options: {
  port: number;
  token: string;
  ca: Buffer;
  method: string;
  path: string;
  body: object | undefined;
}): Promise<number> {
  const { token, body, ...rest } = options;
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', agent: false, headers, ...rest }, (response) =>
      response.resume().once('end', () => resolve(response.statusCode ?? 0)),
    );
    sent.once('error', reject).end(body && JSON.stringify(body));
  });
}
