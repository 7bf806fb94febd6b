import assert from 'node:assert/strict';
import { test } from 'node:test';

import { completes, KEY, missing, stateIn, withResult } from '../nodes/Pageworker/waitState.js';

const STATE = { execution: '7', jobIds: ['a', 'b'], results: {} };

test('another execution does not find the state: a Retry submits new jobs', () => {
	assert.equal(stateIn({ [KEY]: STATE }, '7'), STATE);
	assert.equal(stateIn({ [KEY]: STATE }, '8'), undefined);
	assert.equal(stateIn({}, '7'), undefined);
	assert.equal(stateIn(undefined, '7'), undefined);
});

test('results come in any order, and a repeated one changes nothing', () => {
	const one = withResult(STATE, { job_id: 'b', status: 'failed' });
	assert.ok(one);
	assert.deepEqual(missing(one), ['a']);
	assert.deepEqual(withResult(one, { job_id: 'b', status: 'failed' }), one);
	const both = withResult(one, { job_id: 'a', status: 'succeeded' });
	assert.deepEqual(both && missing(both), []);
	assert.deepEqual(missing(STATE), ['a', 'b']);
});

test('a late callback of an earlier run of the node is not taken', () => {
	assert.equal(withResult(STATE, { job_id: 'c', status: 'succeeded' }), undefined);
});

test('only the callback of its own batch completes a state', () => {
	const state = { execution: '7', jobIds: ['a', 'b'], batchId: 'n8n-1', results: {} };
	assert.ok(completes(state, { kind: 'batch', batch_id: 'n8n-1' }));
	for (const body of [{ kind: 'batch', batch_id: 'n8n-2' }, { job_id: 'a', status: 'succeeded' }, null, 'batch']) {
		assert.ok(!completes(state, body));
	}
	assert.ok(!completes({ ...state, batchId: undefined }, { kind: 'batch' }));
});
