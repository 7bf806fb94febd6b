/** The operations that continue at once. */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { NodeOperationError } from 'n8n-workflow';

import { jobPath, request, resultIn } from './api';
import { cancelBatch, getBatch } from './batches';
import { reasonOf, rejectedResult } from './jobResult';
import { modules } from './modules';
import { jobOf, submit } from './submission';

export type Operation = (context: IExecuteFunctions, itemIndex: number) => Promise<INodeExecutionData[]>;

/** Those that are run once per item, by resource and operation. */
export const OPERATIONS: Record<string, Record<string, Operation>> = {
	artifact: { download },
	batch: { cancel: cancelBatch, get: getBatch },
	job: { cancel, get: getJob },
	limit: { get: getLimits },
	module: { getAll: getModules },
};

/** Submits the jobs of all items at once. Throws NodeOperationError for the first one that is rejected. */
export async function submitAll(context: IExecuteFunctions): Promise<INodeExecutionData[][]> {
	const jobs: IDataObject[] = [];
	for (let itemIndex = 0; itemIndex < context.getInputData().length; itemIndex++) {
		const callbackUrl = context.getNodeParameter('callbackUrl', itemIndex, '') as string;
		jobs.push(await jobOf(context, itemIndex, { callbackUrl: callbackUrl.trim() || undefined }));
	}
	const answers = await submit(context, jobs);
	const found = answers.map((answer, itemIndex): INodeExecutionData => {
		const item: INodeExecutionData = { json: answer, pairedItem: { item: itemIndex } };
		if (answer.status !== 'rejected') return item;
		const reason = reasonOf(rejectedResult(answer.job_id, answer.problem ?? {}));
		const error = new NodeOperationError(context.getNode(), reason, {
			itemIndex,
			description: answer.problem?.hint,
		});
		if (!context.continueOnFail()) throw error;
		if (context.getNode().onError === 'continueErrorOutput') item.error = error;
		return item;
	});
	return [found];
}

/** The job, and as `result` its result once there is one. */
async function getJob(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const path = jobPath(jobIdOf(context, itemIndex));
	const wait = context.getNodeParameter('waitSeconds', itemIndex, 0) as number;
	const awaited = wait > 0 ? await resultOf(context, itemIndex, wait) : undefined;
	const { body: job } = await request<IDataObject>(context, { method: 'GET', path, itemIndex });
	const ended = job.state === 'ended' && typeof job.status === 'string';
	const result = awaited ?? (ended ? await resultOf(context, itemIndex, 0) : null);
	return [{ json: { ...job, result }, pairedItem: { item: itemIndex } }];
}

async function resultOf(
	context: IExecuteFunctions,
	itemIndex: number,
	wait: number,
): Promise<IDataObject | null> {
	const answer = await request<unknown>(context, {
		method: 'GET',
		path: `${jobPath(jobIdOf(context, itemIndex))}/result`,
		query: wait > 0 ? { wait } : {},
		timeoutSeconds: wait + 30,
		itemIndex,
	});
	return (resultIn(answer) as IDataObject | undefined) ?? null;
}

async function cancel(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const path = jobPath(jobIdOf(context, itemIndex));
	const { body } = await request<IDataObject>(context, { method: 'DELETE', path, itemIndex });
	return [{ json: body, pairedItem: { item: itemIndex } }];
}

async function download(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const number = context.getNodeParameter('number', itemIndex) as number;
	const property = context.getNodeParameter('binaryPropertyName', itemIndex) as string;
	const jobId = jobIdOf(context, itemIndex);
	const { body, headers } = await request<Buffer>(context, {
		method: 'GET',
		path: `${jobPath(jobId)}/artifacts/${number}`,
		binary: true,
		timeoutSeconds: 300,
		itemIndex,
	});
	const type = String(headers['content-type'] ?? 'application/octet-stream').split(';')[0].trim();
	const name = fileName(String(headers['content-disposition'] ?? '')) ?? `${jobId}-${number}`;
	const binary = await context.helpers.prepareBinaryData(Buffer.from(body), name, type);
	return [
		{
			json: { job_id: jobId, number, content_type: type, bytes: Buffer.byteLength(body) },
			binary: { [property]: binary },
			pairedItem: { item: itemIndex },
		},
	];
}

/** The name in a header Content-Disposition. */
export function fileName(disposition: string): string | undefined {
	return /filename="?([^";]+)"?/i.exec(disposition)?.[1];
}

async function getModules(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const found = await modules(context);
	const all = context.getNodeParameter('returnAll', itemIndex) as boolean;
	const some = all ? found : found.slice(0, context.getNodeParameter('limit', itemIndex) as number);
	return some.map((module) => ({ json: module, pairedItem: { item: itemIndex } }));
}

async function getLimits(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	const { body } = await request<IDataObject>(context, { method: 'GET', path: '/v1/limits', itemIndex });
	return [{ json: body, pairedItem: { item: itemIndex } }];
}

function jobIdOf(context: IExecuteFunctions, itemIndex: number): string {
	return String(context.getNodeParameter('jobId', itemIndex)).trim();
}
