/**
 * Runs jobs and continues with their results.
 *
 * The node submits one job per item and parks the execution. pageworker POSTs each result to the execution's own resume
 * URL. n8n's usual way then passes the body through the parked node, which cannot fail any more, and cannot choose an
 * output after the time limit. So `resume` changes the parked entry: the node runs once more, finds the results beside it,
 * and turns red if a job failed. A Retry finds the state of another execution, and submits new jobs.
 */
import type {
	IDataObject,
	IExecuteData,
	IExecuteFunctions,
	INodeExecutionData,
	ITaskMetadata,
	IWebhookFunctions,
	IWebhookResponseData,
} from 'n8n-workflow';
import { NodeOperationError, WAIT_INDEFINITELY } from 'n8n-workflow';

import { jobPath, repeatable, request, resultIn } from './api';
import { closeBatch, openBatch } from './batches';
import { isResult, rejectedResult } from './jobResult';
import { outputs } from './outputs';
import { defaultBatchId, defaultJobId, jobOf, submit } from './submission';
import type { SubmittedJob } from './submission';
import { completes, KEY, missing, stateIn, withResult } from './waitState';
import type { WaitState } from './waitState';

/** The API answers such a request earlier if there is a result. */
const WAIT_SECONDS = 30;
const MS_PER_HOUR = 3_600_000;

/** The operation: the first time it submits and parks, the second time it gives the results. */
export async function runAndWait(context: IExecuteFunctions): Promise<INodeExecutionData[][]> {
	const entry = context.getExecuteData();
	const found = stateIn(entry.metadata, context.getExecutionId());
	if (found) return finished(context, entry, found.batchId ? await polled(context, found) : found);
	const polling = isTool(context) || context.getNodeParameter('waitBy', 0) === 'polling';
	const url = polling ? undefined : resumeUrl(context);
	const batchId = context.getNodeParameter('resource', 0) === 'batch' ? defaultBatchId(context) : undefined;
	const answering = batchId ? { batchId } : { callbackUrl: url };
	const jobs: IDataObject[] = [];
	for (let index = 0; index < context.getInputData().length; index++) {
		jobs.push(await jobOf(context, index, answering));
	}
	if (batchId) await openBatch(context, batchId, url);
	const submitted = await submit(context, jobs);
	if (batchId) await closeBatch(context, batchId);
	const state: WaitState = {
		execution: context.getExecutionId(),
		jobIds: submitted.map((each) => each.job_id),
		batchId,
		results: Object.fromEntries(
			submitted
				.filter((each) => each.status === 'rejected')
				.map((each) => [each.job_id, rejectedResult(each.job_id, each.problem ?? {})]),
		),
	};
	if (missing(state).length === 0) return finished(context, entry, state);
	if (polling || submitted.some((each, index) => callsOthers(context, each, index))) {
		return finished(context, entry, await polled(context, state));
	}
	return await park(context, entry, state);
}

/** A job that another execution may have submitted, under an id that a user chose. It has the callback of that one. */
function callsOthers(context: IExecuteFunctions, submitted: SubmittedJob, itemIndex: number): boolean {
	return submitted.status === 'known' && submitted.job_id !== defaultJobId(context, itemIndex);
}

function finished(context: IExecuteFunctions, entry: IExecuteData, state: WaitState): INodeExecutionData[][] {
	const found = outputs(context, state.jobIds.map((id) => state.results[id]));
	// The results are in the output now. After an error they stay: "Retry On Fail" of n8n runs this again.
	delete (entry.metadata as Record<string, unknown> | undefined)?.[KEY];
	return found;
}

async function park(
	context: IExecuteFunctions,
	entry: IExecuteData,
	state: WaitState,
): Promise<INodeExecutionData[][]> {
	const hours = context.getNodeParameter('limitHours', 0) as number;
	const message = `No result within ${hours} hours. Look for the job ${missing(state)[0]} with "Get", and for workers that take jobs.`;
	// n8n raises this error if it continues the execution because the time is over. Otherwise it would pass on the input.
	const resumeError = hours > 0 ? { name: 'Error', message, stack: '' } : undefined;
	// Not setMetadata(): it would merge the state with that of the execution that this one retries.
	entry.metadata = { ...entry.metadata, [KEY]: state, resumeError } as ITaskMetadata;
	await context.putExecutionToWait(
		hours > 0 ? new Date(Date.now() + hours * MS_PER_HOUR) : WAIT_INDEFINITELY,
	);
	// A copy: for an error output, n8n empties the list that it gets, and the parked node runs again on its input.
	return [[...context.getInputData()]];
}

async function polled(context: IExecuteFunctions, begin: WaitState): Promise<WaitState> {
	const hours = context.getNodeParameter('limitHours', 0) as number;
	const end = hours > 0 ? Date.now() + hours * MS_PER_HOUR : Infinity;
	let state = begin;
	for (const [itemIndex, id] of state.jobIds.entries()) {
		while (!(id in state.results)) {
			if (context.getExecutionCancelSignal()?.aborted || Date.now() >= end) {
				throw new NodeOperationError(context.getNode(), `No result of the job ${id} in time`, { itemIndex });
			}
			const answer = await repeatable<unknown>(context, {
				method: 'GET',
				path: `${jobPath(id)}/result`,
				query: { wait: WAIT_SECONDS },
				timeoutSeconds: WAIT_SECONDS * 2,
				itemIndex,
			});
			const result = resultIn(answer);
			if (result) state = withResult(state, result) ?? state;
		}
	}
	return state;
}

/** An agent calls the node as a tool: n8n cannot park it. */
function isTool(context: IExecuteFunctions): boolean {
	return context.getNode().type.endsWith('Tool');
}

function resumeUrl(context: IExecuteFunctions): string {
	return context.evaluateExpression('{{ $execution.resumeUrl }}', 0) as string;
}

/**
 * A POST to the resume URL of a parked execution. Other answers than 200 tell pageworker whether to try again. It never
 * throws: n8n would continue the execution with an empty item.
 */
export async function resume(context: IWebhookFunctions): Promise<IWebhookResponseData> {
	try {
		return await received(context);
	} catch (error) {
		return answer(context, 503, (error as Error).message);
	}
}

async function received(context: IWebhookFunctions): Promise<IWebhookResponseData> {
	const body: unknown = context.getBodyData();
	const entry = parkedEntry(context);
	const state = stateIn(entry?.metadata, context.getExecutionId());
	if (!entry || !state) {
		return answer(context, 500, 'This version of n8n does not show the node what it waits for.');
	}
	if (completes(state, body)) {
		// The node asks for the results itself: there may be more than a callback may take time for.
		continueWith(entry, state);
		return { workflowData: entry.data.main.map((items) => items ?? []) };
	}
	if (!isResult(body)) return answer(context, 422, 'The body is not a result of pageworker.');
	const known = withResult(state, body);
	if (!known) return answer(context, 410, `The execution does not wait for the job ${body.job_id}.`);
	const whole = await collected(context, known);
	if (!whole) return answer(context, 200, 'The execution waits for results of other jobs.');
	continueWith(entry, whole);
	return { workflowData: entry.data.main.map((items) => items ?? []) };
}

/**
 * The results of all jobs; undefined: one has none yet, and its callback will come. n8n keeps nothing of a callback that
 * does not continue the execution, so the API is asked for the others. Throws NodeApiError if it cannot be reached.
 */
async function collected(context: IWebhookFunctions, known: WaitState): Promise<WaitState | undefined> {
	let state = known;
	for (const id of missing(known)) {
		const result = resultIn(await request<unknown>(context, { method: 'GET', path: `${jobPath(id)}/result` }));
		if (!result) return undefined;
		state = withResult(state, result) ?? state;
	}
	return state;
}

/** Lets n8n run the parked node once more, with its own input, in place of passing the body through it. */
function continueWith(entry: IExecuteData, state: WaitState): void {
	// The error belongs to the time limit.
	entry.metadata = { ...entry.metadata, [KEY]: state, resumeError: undefined } as ITaskMetadata;
	delete entry.node.disabled;
}

/**
 * The entry of n8n's stack that the execution continues with. n8n hands it to the node as a field of its context that is
 * not part of the interface.
 */
function parkedEntry(context: IWebhookFunctions): IExecuteData | undefined {
	return (context as unknown as { executeData?: IExecuteData }).executeData;
}

function answer(context: IWebhookFunctions, status: number, message: string): IWebhookResponseData {
	context.getResponseObject().status(status).json({ message });
	return { noWebhookResponse: true };
}
