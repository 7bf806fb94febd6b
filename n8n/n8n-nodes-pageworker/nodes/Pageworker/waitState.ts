/**
 * How an execution waits for its jobs. Pure.
 *
 * n8n keeps this state beside the parked node. A callback brings one result. The node runs again once each of its jobs
 * has one, and continues with them. A Retry of n8n is another execution: it finds the state of the first one, ignores it,
 * and submits new jobs.
 */
import type { JobResult } from './jobResult';

export interface WaitState {
	/** The execution that submitted the jobs. */
	execution: string;
	/** Ids of the jobs, one per item, in their order. */
	jobIds: string[];
	/** The batch that all jobs are in: one callback comes when it is complete. Absent: each job has a callback. */
	batchId?: string;
	/** What is known. A job that was not accepted has its result at once. */
	results: Record<string, JobResult>;
}

/** The key of the state in the metadata that n8n keeps of a parked node. */
export const KEY = 'pageworker';

/** The state of this execution; undefined: it has submitted nothing. */
export function stateIn(metadata: unknown, execution: string): WaitState | undefined {
	const state = (metadata as Record<string, WaitState | undefined> | undefined)?.[KEY];
	return state?.execution === execution ? state : undefined;
}

/** Ids of the jobs that have no result yet, in their order. */
export function missing(state: WaitState): string[] {
	return state.jobIds.filter((id) => !(id in state.results));
}

/** Whether a body says that the batch of this state is complete. */
export function completes(state: WaitState, body: unknown): boolean {
	const { kind, batch_id: batchId } = (body ?? {}) as Record<string, unknown>;
	return kind === 'batch' && state.batchId !== undefined && state.batchId === batchId;
}

/** The state with one more result; undefined: the result is of no job that this execution waits for. */
export function withResult(state: WaitState, result: JobResult): WaitState | undefined {
	if (!state.jobIds.includes(result.job_id)) return undefined;
	return { ...state, results: { ...state.results, [result.job_id]: result } };
}
