import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
	BLOCKED,
	descriptionOf,
	FAILED,
	isResult,
	outputOf,
	reasonOf,
	rejectedResult,
	SUCCEEDED,
} from '../nodes/Pageworker/jobResult.js';

test('each kind of end has its output', () => {
	const ends: Record<string, number> = { succeeded: SUCCEEDED, blocked: BLOCKED, failed: FAILED, timed_out: FAILED };
	for (const [status, output] of Object.entries(ends)) assert.equal(outputOf({ job_id: '1', status }), output);
});

test('the reason is one line with error and blocker', () => {
	const error = { type: 'timeout', message: 'Too slow.', retryable: true };
	assert.equal(reasonOf({ job_id: '1', status: 'timed_out', error }), 'timed_out: timeout: Too slow.');
	const blocker = { kind: 'captcha', provider: null, url: 'https://shop.example' };
	assert.equal(
		reasonOf({ job_id: '1', status: 'blocked', error: null, blocker }),
		'blocked: captcha (unknown provider) at https://shop.example',
	);
	assert.match(descriptionOf({ job_id: '7', status: 'failed', error }), /^Job 7\. The error may pass/);
});

test('a body is a result if it names a job and its status', () => {
	assert.ok(isResult({ job_id: '1', status: 'succeeded' }));
	for (const body of [null, 'text', [], {}, { job_id: 1, status: 'failed' }, { job_id: '1' }]) {
		assert.ok(!isResult(body));
	}
});

test('a job that was not accepted has a result like any other', () => {
	const result = rejectedResult('1', { code: 'payload_invalid', detail: 'url: missing', hint: 'Add it.' });
	assert.equal(reasonOf(result), 'rejected: payload_invalid: url: missing');
	assert.equal(descriptionOf(result), 'Job 1. Add it.');
	assert.ok(rejectedResult('1', { code: 'queue_full' }).error?.retryable);
	assert.equal(reasonOf(rejectedResult('1', {})), 'rejected: rejected: The job was not accepted.');
});
