/** The status of reconcile/minicluster-status.ts as the CRD has it. The first four are required by the Operator's clients. */
import type { StructuralSchema } from './structural-schema.ts';

const text = (description: string): StructuralSchema => ({ type: 'string', description });
const integer = (description: string, format: 'int32' | 'int64' = 'int32'): StructuralSchema => ({
  type: 'integer',
  format,
  description,
});
const time = (description: string): StructuralSchema => ({
  type: 'string',
  format: 'date-time',
  description,
});

const condition: StructuralSchema = {
  type: 'object',
  required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
  properties: {
    type: text('Ready, Progressing, Succeeded, Failed, Suspended, Valid or UpToDate.'),
    status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
    reason: text('One CamelCase word, for programs.'),
    message: text('A sentence, for people.'),
    observedGeneration: integer('The generation that the condition is about.', 'int64'),
    lastTransitionTime: time('When the status of the condition last changed.'),
  },
};

export const statusSchema: StructuralSchema = {
  type: 'object',
  description: 'What the controller has observed.',
  properties: {
    jobid: text('The uid of the Job.'),
    maximumSize: integer('The largest size that the MiniCluster can have.'),
    selector: text('The label selector of the pods, for the scale subresource.'),
    size: integer('The size of the Job, for the scale subresource.'),
    conditions: { type: 'array', items: condition },
    observedGeneration: integer('The generation that the status is about.', 'int64'),
    state: text('Pending, Starting, Running, Suspended, Succeeded, Failed or Invalid.'),
    brokersOnline: integer('Brokers that are online.'),
    startTime: time('When the Job started.'),
    completionTime: time('When the Job ended.'),
    exitCode: integer('The exit code of the program, or of flux-pod where the program could not run.'),
    message: text('The last sentence of the leader’s agent.'),
    jobs: {
      type: 'object',
      description: 'Jobs of Flux by their state.',
      properties: {
        pending: integer('Jobs that wait.'),
        running: integer('Jobs that run.'),
        inactive: integer('Jobs that have ended.'),
      },
    },
    api: text('The Service of the REST API.'),
    sizeDecidedBy: text('Demand, Scale:MANAGER or Spec.'),
    demand: {
      type: 'object',
      description: 'What the queue needs, as the leader reports it.',
      properties: {
        wanted: integer('The least size with which all jobs that can run now could run at once.'),
        idle: integer('Brokers online without a job.'),
        reason: text('The job that decides.'),
        unfitCount: integer('Jobs that can never run.'),
        unfit: {
          type: 'array',
          description: 'Some of them.',
          items: {
            type: 'object',
            required: ['id', 'why'],
            properties: { id: text('The job.'), why: text('A sentence, for people.') },
          },
        },
      },
    },
  },
};
