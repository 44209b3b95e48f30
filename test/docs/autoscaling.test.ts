import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readMiniCluster } from '../../controller/render/minicluster/read-minicluster.ts';
import { rows } from '../support/size/compare.ts';

const page = readFileSync('docs/autoscaling.md', 'utf8');
const blocks = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text = '']) => parse(text));

describe('docs/autoscaling.md', () => {
  it('has a MiniCluster whose size may follow the demand, and resources that scale it within its bounds', () => {
    const [miniCluster, ...scalers] = blocks;
    const { metadata, spec } = readMiniCluster(miniCluster);
    expect(spec.autoscaling).toEqual({});
    expect(scalers).toHaveLength(2);
    for (const { spec: scaler } of scalers) {
      const { apiVersion, kind } = miniCluster;
      expect(scaler.scaleTargetRef).toEqual({ apiVersion, kind, name: metadata.name });
      expect(scaler.minReplicas ?? scaler.minReplicaCount).toBe(spec.minSize);
      expect(scaler.maxReplicas ?? scaler.maxReplicaCount).toBe(spec.maxSize);
    }
  });

  it('has a row for each policy that is compared', () => {
    for (const { name } of rows) expect(page).toContain(`\n| ${name} | `);
  });
});
