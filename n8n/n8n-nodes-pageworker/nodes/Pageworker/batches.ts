/** Batches: jobs that are answered together. */
import type { IDataObject, IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';

import { repeatable, request } from './api';

/** Opens a batch without a size: jobs that the API does not accept do not count. The same call again changes nothing. */
export async function openBatch(context: IExecuteFunctions, id: string, callbackUrl?: string): Promise<void> {
	const body: IDataObject = { batch_id: id, ...(callbackUrl ? { callback_url: callbackUrl } : {}) };
	await repeatable(context, { method: 'POST', path: '/v1/batches', body });
}

/** No further job comes. From now on the batch is complete as soon as its jobs have ended. */
export async function closeBatch(context: IExecuteFunctions, id: string): Promise<void> {
	await repeatable(context, { method: 'POST', path: `${batchPath(id)}/close` });
}

export async function getBatch(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	return await one(context, itemIndex, 'GET');
}

export async function cancelBatch(context: IExecuteFunctions, itemIndex: number): Promise<INodeExecutionData[]> {
	return await one(context, itemIndex, 'DELETE');
}

async function one(
	context: IExecuteFunctions,
	itemIndex: number,
	method: 'GET' | 'DELETE',
): Promise<INodeExecutionData[]> {
	const path = batchPath(String(context.getNodeParameter('batchId', itemIndex)).trim());
	const { body } = await request<IDataObject>(context, { method, path, itemIndex });
	return [{ json: body, pairedItem: { item: itemIndex } }];
}

function batchPath(id: string): string {
	return `/v1/batches/${encodeURIComponent(id)}`;
}
