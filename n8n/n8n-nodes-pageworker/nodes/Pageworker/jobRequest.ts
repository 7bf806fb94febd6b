/** What the node sends as a job. Pure. */
import type { IDataObject } from 'n8n-workflow';

/** Fields of a job that the parameters of the node name otherwise, by the name of the parameter. */
const FIELDS: Record<string, string> = {
	delaySeconds: 'delay_seconds',
	domain: 'domain',
	expiresAt: 'expires_at',
	maxRetries: 'max_retries',
	page: 'page',
	priority: 'priority',
	profileId: 'profile_id',
	proxy: 'proxy',
	timeoutSeconds: 'timeout_seconds',
	traceId: 'trace_id',
};

/** Values of these may be text: JSON that a user typed. */
const OBJECTS = new Set(['page']);

/** What the node adds to each job. `jobId`: unless a user chose one. */
export interface JobAdditions {
	jobId: string;
	meta: IDataObject;
	callbackUrl?: string;
	batchId?: string;
	files?: IDataObject[];
}

export interface JobParameters {
	module: string;
	payload: IDataObject;
	options: IDataObject;
}

/** The job as JSON. An option that is empty is left out: pageworker has a default for it. */
export function jobRequest(parameters: JobParameters, additions: JobAdditions): IDataObject {
	const job: IDataObject = { endpoint_module: parameters.module, payload: parameters.payload };
	if (parameters.options.jobId) job.job_id = String(parameters.options.jobId);
	job.meta = object('Meta', parameters.options.meta);
	for (const [name, field] of Object.entries(FIELDS)) {
		const value = parameters.options[name];
		if (value === undefined || value === null || value === '') continue;
		job[field] = OBJECTS.has(name) ? object(name, value) : value;
	}
	return wholeJob(job, additions);
}

/** A job that a user wrote, with what the node adds. Throws an Error if both have a callback or a batch. */
export function wholeJob(job: IDataObject, additions: JobAdditions): IDataObject {
	if (job.callback_url && additions.callbackUrl) throw new Error('Job has a callback_url: the node sets it');
	if (job.batch_id && additions.batchId) throw new Error('Job has a batch_id: the node sets it');
	const whole: IDataObject = {
		...job,
		job_id: job.job_id ?? additions.jobId,
		meta: { ...object('meta', job.meta), ...additions.meta },
	};
	if (additions.callbackUrl) whole.callback_url = additions.callbackUrl;
	if (additions.batchId) whole.batch_id = additions.batchId;
	if (additions.files?.length) whole.files = additions.files;
	return whole;
}

/** An object, from itself or from its JSON. Empty text is an empty object. Throws an Error that names the parameter. */
export function object(parameter: string, value: unknown): IDataObject {
	const found = typeof value === 'string' ? parsed(value) : value;
	if (found instanceof SyntaxError) throw new Error(`${parameter} is not valid JSON: ${found.message}`);
	if (found === undefined || found === null) return {};
	if (typeof found !== 'object' || Array.isArray(found)) {
		throw new Error(`${parameter} is not an object: write {"name": value}`);
	}
	return found as IDataObject;
}

function parsed(text: string): unknown {
	if (text.trim() === '') return undefined;
	try {
		return JSON.parse(text);
	} catch (error) {
		return error;
	}
}

/** What the fields of a module hold, without those that were left empty. */
export function filledFields(fields: IDataObject | null): IDataObject {
	return Object.fromEntries(
		Object.entries(fields ?? {}).filter(([, value]) => value !== null && value !== undefined),
	);
}

export interface JobOrigin {
	instance: string;
	execution: string;
	node: string;
	run: number;
	item: number;
}

const INSTANCE_LETTERS = 8;
const NODE_LETTERS = 8;

/**
 * The id of the job of one item: the same for each repetition of the request, and another one for each execution, node,
 * run of the node in a loop, and item. Executions are counted from 1 by each n8n, so the instance is part of it.
 */
export function jobId(origin: JobOrigin): string {
	const letters = (text: string, count: number) =>
		text.replace(/[^A-Za-z0-9]/g, '').slice(0, count) || '0';
	return [
		'n8n',
		letters(origin.instance, INSTANCE_LETTERS),
		letters(origin.execution, 64),
		letters(origin.node, NODE_LETTERS),
		origin.run,
		origin.item,
	].join('-');
}

/** The id of the batch of all items: that of a job, without its item. */
export function batchId(origin: Omit<JobOrigin, 'item'>): string {
	return jobId({ ...origin, item: 0 }).replace(/-0$/, '');
}
