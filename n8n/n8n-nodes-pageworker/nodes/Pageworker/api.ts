/** Requests to the HTTP API of pageworker. Each error carries what the problem document says. */
import type {
	IDataObject,
	IExecuteFunctions,
	IHookFunctions,
	IHttpRequestMethods,
	IHttpRequestOptions,
	IN8nHttpFullResponse,
	ILoadOptionsFunctions,
	IWebhookFunctions,
	JsonObject,
} from 'n8n-workflow';
import { NodeApiError, sleep } from 'n8n-workflow';

import { isResult } from './jobResult';
import type { JobResult, Problem } from './jobResult';

export const CREDENTIAL = 'pageworkerApi';

export type ApiCaller = IExecuteFunctions | IHookFunctions | ILoadOptionsFunctions | IWebhookFunctions;

export interface ApiRequest {
	method: IHttpRequestMethods;
	/** Below the base URL, e.g. `/v1/jobs`. */
	path: string;
	query?: IDataObject;
	body?: IDataObject;
	/** The body is bytes of this media type. */
	upload?: { bytes: Buffer; type: string };
	/** The answer is bytes. */
	binary?: boolean;
	/** Statuses of errors that are no failure here. */
	accepted?: number[];
	/** Seconds until the request fails. */
	timeoutSeconds?: number;
	/** For errors: which item the request is for. */
	itemIndex?: number;
}

export interface ApiAnswer<T> {
	status: number;
	headers: IDataObject;
	body: T;
}

const TIMEOUT_SECONDS = 30;
/** Before each repetition of a request that may be repeated. The API may restart meanwhile. */
const PAUSES_MS = [250, 500, 1000, 2000, 4000, 8000];
const LONGEST_PAUSE_MS = 10_000;
/** Too many requests or jobs; a proxy without API; an API that has too much to do or does not reach Redis. */
const PASSING = [429, 502, 503, 504];

/** One request. Throws NodeApiError unless the status is below 400. */
export async function request<T>(caller: ApiCaller, asked: ApiRequest): Promise<ApiAnswer<T>> {
	return checked<T>(caller, asked, await send(caller, asked));
}

/**
 * One request that may reach the API several times without harm. It is repeated while the API cannot be reached or says
 * that it may succeed later, for about 16 seconds, or as long as the header Retry-After asks for.
 */
export async function repeatable<T>(caller: ApiCaller, asked: ApiRequest): Promise<ApiAnswer<T>> {
	for (const pause of PAUSES_MS) {
		const answer = await send(caller, asked);
		const lost = answer instanceof NodeApiError;
		if (!lost && !PASSING.includes(answer.statusCode)) return checked<T>(caller, asked, answer);
		await sleep(lost ? pause : pauseOf(answer.headers, pause));
	}
	return await request<T>(caller, asked);
}

/** Milliseconds until the next try: what the header Retry-After asks for, within bounds. */
export function pauseOf(headers: IDataObject, leastMs: number): number {
	const asked = Number(headers['retry-after']) * 1000;
	return Number.isFinite(asked) ? Math.min(Math.max(asked, leastMs), LONGEST_PAUSE_MS) : leastMs;
}

/** What the API answers; NodeApiError: nothing. */
type Answer = IN8nHttpFullResponse | NodeApiError;

async function send(caller: ApiCaller, asked: ApiRequest): Promise<Answer> {
	const { baseUrl } = await caller.getCredentials<{ baseUrl: string }>(CREDENTIAL);
	const options: IHttpRequestOptions = {
		method: asked.method,
		url: `${baseUrl.trim().replace(/\/+$/, '')}${asked.path}`,
		qs: asked.query,
		body: asked.upload?.bytes ?? asked.body,
		headers: asked.upload ? { 'Content-Type': asked.upload.type } : undefined,
		json: !asked.binary && !asked.upload,
		encoding: asked.binary ? 'arraybuffer' : undefined,
		timeout: (asked.timeoutSeconds ?? TIMEOUT_SECONDS) * 1000,
		returnFullResponse: true,
		ignoreHttpStatusErrors: true,
	};
	try {
		const answer: unknown = await caller.helpers.httpRequestWithAuthentication.call(
			caller,
			CREDENTIAL,
			options,
		);
		return answer as IN8nHttpFullResponse;
	} catch (error) {
		return new NodeApiError(caller.getNode(), error as JsonObject, {
			message: 'pageworker-api cannot be reached',
			description: (error as Error).message,
			itemIndex: asked.itemIndex,
		});
	}
}

function checked<T>(caller: ApiCaller, asked: ApiRequest, answer: Answer): ApiAnswer<T> {
	if (answer instanceof NodeApiError) throw answer;
	if (answer.statusCode < 400 || asked.accepted?.includes(answer.statusCode)) {
		return { status: answer.statusCode, headers: answer.headers, body: bodyOf(answer.body, asked) as T };
	}
	const problem = problemOf(answer.body);
	throw new NodeApiError(caller.getNode(), { ...problem } as JsonObject, {
		httpCode: String(answer.statusCode),
		message: `${problem.code ?? `HTTP ${answer.statusCode}`}: ${problem.detail ?? problem.title ?? 'no reason given'}`,
		description: [problem.field && `Field: ${problem.field}.`, problem.hint].filter(Boolean).join(' '),
		itemIndex: asked.itemIndex,
	});
}

/** n8n parses JSON only where the request is JSON as well. */
function bodyOf(body: unknown, asked: ApiRequest): unknown {
	return asked.upload && typeof body === 'string' ? JSON.parse(body) : body;
}

/** The problem document in the body of an answer, which may be text or bytes. */
export function problemOf(body: unknown): Problem {
	try {
		const text = typeof body === 'string' || Buffer.isBuffer(body) || body instanceof ArrayBuffer;
		const found: unknown = text ? JSON.parse(Buffer.from(body as string).toString()) : body;
		return typeof found === 'object' && found !== null ? (found as Problem) : {};
	} catch {
		// A proxy before the API answers with pages of its own.
		return {};
	}
}

/** The result in an answer about one; undefined: the job has none yet, and the answer (202) says where it is. */
export function resultIn({ status, body }: ApiAnswer<unknown>): JobResult | undefined {
	return status === 200 && isResult(body) ? body : undefined;
}

/** The path of one job. Its id may hold a colon. */
export function jobPath(jobId: string): string {
	return `/v1/jobs/${encodeURIComponent(jobId)}`;
}
