/** Submits jobs, and says of each what became of it. */
import type { IDataObject, IExecuteFunctions, JsonObject } from 'n8n-workflow';
import { NodeApiError, NodeOperationError } from 'n8n-workflow';

import { repeatable } from './api';
import { uploaded } from './files';
import { batchId, filledFields, jobId, jobRequest, object, wholeJob } from './jobRequest';
import type { JobAdditions } from './jobRequest';
import type { Problem } from './jobResult';

/** `queued`; `known`: the same job is there already; `rejected`: see `problem`. */
export interface SubmittedJob extends IDataObject {
	job_id: string;
	tenant_id?: string;
	status: string;
	problem?: Problem & IDataObject;
}

/** Jobs of one request. The API takes up to 1,000; fewer keep the body below its limit. */
const JOBS_PER_REQUEST = 100;

/** How the results of jobs come back. */
export interface Answering {
	callbackUrl?: string;
	batchId?: string;
}

/**
 * The job of one item, from the parameters of the node. Its files are uploaded. Throws NodeOperationError if a parameter is
 * not valid.
 */
export async function jobOf(
	context: IExecuteFunctions,
	itemIndex: number,
	answering: Answering,
): Promise<IDataObject> {
	const { id: workflow } = context.getWorkflow();
	const additions: JobAdditions = {
		jobId: defaultJobId(context, itemIndex),
		meta: { workflow: workflow ?? null, execution: context.getExecutionId() },
		...answering,
		files: await uploaded(context, itemIndex),
	};
	try {
		if (context.getNodeParameter('jobFrom', itemIndex) === 'json') {
			return wholeJob(object('Job', context.getNodeParameter('job', itemIndex)), additions);
		}
		const parameters = {
			module: moduleName(context, itemIndex),
			payload: payloadOf(context, itemIndex),
			options: context.getNodeParameter('options', itemIndex, {}) as IDataObject,
		};
		return jobRequest(parameters, additions);
	} catch (error) {
		throw new NodeOperationError(context.getNode(), error as Error, { itemIndex });
	}
}

/** Submits jobs. Their ids make a repetition harmless. The answers are in the order of the jobs. */
export async function submit(context: IExecuteFunctions, jobs: IDataObject[]): Promise<SubmittedJob[]> {
	if (jobs.length === 1) return [await submitOne(context, jobs[0])];
	const answers: SubmittedJob[] = [];
	for (let first = 0; first < jobs.length; first += JOBS_PER_REQUEST) {
		const some = jobs.slice(first, first + JOBS_PER_REQUEST);
		const { body } = await repeatable<{ jobs: SubmittedJob[] }>(context, {
			method: 'POST',
			path: '/v1/jobs',
			body: { jobs: some },
		});
		answers.push(...body.jobs.map((answer, index) => ({ ...answer, job_id: some[index].job_id as string })));
	}
	return answers;
}

/** Refused for itself, and not because the request failed: the answer of the API for one job of several says so too. */
const REJECTED_STATUSES = ['403', '422'];

async function submitOne(context: IExecuteFunctions, job: IDataObject): Promise<SubmittedJob> {
	try {
		const { body } = await repeatable<SubmittedJob>(context, { method: 'POST', path: '/v1/jobs', body: job });
		return { ...body, job_id: job.job_id as string };
	} catch (error) {
		const refused = error instanceof NodeApiError && REJECTED_STATUSES.includes(error.httpCode ?? '');
		const problem = refused ? problemIn(error) : undefined;
		if (!problem?.code) {
			throw error instanceof NodeApiError
				? error
				: new NodeApiError(context.getNode(), error as JsonObject);
		}
		return { job_id: job.job_id as string, status: 'rejected', problem };
	}
}

function problemIn(error: NodeApiError): (Problem & IDataObject) | undefined {
	return error.errorResponse as (Problem & IDataObject) | undefined;
}

/** The id of a job that has none of a user. */
export function defaultJobId(context: IExecuteFunctions, itemIndex: number): string {
	return jobId({
		instance: context.getInstanceId(),
		execution: context.getExecutionId(),
		node: context.getNode().id,
		run: Number(context.evaluateExpression('{{ $runIndex }}', itemIndex)),
		item: itemIndex,
	});
}

/** The id of the batch of all items. */
export function defaultBatchId(context: IExecuteFunctions): string {
	return batchId({
		instance: context.getInstanceId(),
		execution: context.getExecutionId(),
		node: context.getNode().id,
		run: Number(context.evaluateExpression('{{ $runIndex }}', 0)),
	});
}

function moduleName(context: IExecuteFunctions, itemIndex: number): string {
	const module = context.getNodeParameter('module', itemIndex, '', { extractValue: true }) as string;
	if (!module) throw new Error('Choose a module');
	return module;
}

function payloadOf(context: IExecuteFunctions, itemIndex: number): IDataObject {
	if (context.getNodeParameter('payloadFrom', itemIndex) === 'json') {
		return object('Payload', context.getNodeParameter('payload', itemIndex));
	}
	return filledFields(context.getNodeParameter('fields.value', itemIndex, {}) as IDataObject | null);
}
