/** What the node says about results. Pure. */
import type { IDataObject } from 'n8n-workflow';

export interface JobError {
	type: string;
	message: string;
	retryable?: boolean;
	hint?: string;
}

export interface JobBlocker {
	kind: string;
	provider?: string | null;
	url?: string | null;
}

/** The fields of a result that the node reads. All others are passed on. */
export interface JobResult {
	job_id: string;
	status: string;
	error?: JobError | null;
	blocker?: JobBlocker | null;
	[field: string]: unknown;
}

export const SUCCEEDED = 0;
export const BLOCKED = 1;
export const FAILED = 2;
/** The number of outputs if each kind of end has its own. */
export const OUTPUTS = 3;

/** The output of a result if each kind of end has its own. */
export function outputOf(result: JobResult): number {
	if (result.status === 'succeeded') return SUCCEEDED;
	return result.status === 'blocked' ? BLOCKED : FAILED;
}

/** Whether a body is a result: n8n hands on whatever is POSTed to the URL of an execution. */
export function isResult(body: unknown): body is JobResult {
	if (typeof body !== 'object' || body === null) return false;
	const { job_id: jobId, status } = body as IDataObject;
	return typeof jobId === 'string' && typeof status === 'string';
}

/** One line for the list of executions and for error workflows, e.g. `blocked: captcha (shopguard) at https://…`. */
export function reasonOf(result: JobResult): string {
	const parts = [result.status];
	if (result.error) parts.push(`${result.error.type}: ${result.error.message}`);
	if (result.blocker) {
		const { kind, provider, url } = result.blocker;
		parts.push(`${kind} (${provider ?? 'unknown provider'})${url ? ` at ${url}` : ''}`);
	}
	return parts.join(': ');
}

/** What the error of a job that did not succeed adds to its reason. */
export function descriptionOf(result: JobResult): string {
	const lines = [`Job ${result.job_id}.`];
	if (result.error?.hint) lines.push(result.error.hint);
	if (result.error?.retryable) lines.push('The error may pass: Retry runs the job again, as a new job.');
	return lines.join(' ');
}

/** A problem document of the API (RFC 9457). */
export interface Problem {
	code?: string;
	title?: string;
	detail?: string;
	field?: string;
	hint?: string;
}

/** The result of a job that the API did not accept: it looks like the one that a push of the job would get. */
export function rejectedResult(jobId: string, problem: Problem): JobResult {
	return {
		job_id: jobId,
		status: 'rejected',
		data: null,
		error: {
			type: problem.code ?? 'rejected',
			message: problem.detail ?? problem.title ?? 'The job was not accepted.',
			retryable: problem.code === 'queue_full',
			...(problem.hint ? { hint: problem.hint } : {}),
		},
		blocker: null,
		artifacts: [],
		attempts: [],
	};
}
