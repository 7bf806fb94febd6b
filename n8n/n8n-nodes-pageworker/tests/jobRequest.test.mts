import assert from 'node:assert/strict';
import { test } from 'node:test';

import { batchId, filledFields, jobId, jobRequest, object, wholeJob } from '../nodes/Pageworker/jobRequest.js';

const PARAMETERS = { module: 'shop.product', payload: { url: 'u' }, options: {} };
const ADDITIONS = { jobId: '1', meta: { execution: '9' }, callbackUrl: 'https://n8n/r' };
const ORIGIN = { instance: 'ab-cdef0123456789', execution: '231', node: '0f8b-11', run: 0, item: 2 };

test('a job has the fields of the contract', () => {
	const options = { maxRetries: 0, priority: 'high', profileId: '', meta: '{"order": 17}', page: '{"locale": "de"}' };
	assert.deepEqual(jobRequest({ ...PARAMETERS, options }, ADDITIONS), {
		job_id: '1',
		endpoint_module: 'shop.product',
		payload: { url: 'u' },
		meta: { order: 17, execution: '9' },
		max_retries: 0,
		priority: 'high',
		page: { locale: 'de' },
		callback_url: 'https://n8n/r',
	});
});

test('what a user did not set is left out', () => {
	const job = jobRequest(PARAMETERS, { ...ADDITIONS, callbackUrl: undefined });
	assert.deepEqual(Object.keys(job).sort(), ['endpoint_module', 'job_id', 'meta', 'payload']);
});

test('the id that a user chose is kept', () => {
	assert.equal(jobRequest({ ...PARAMETERS, options: { jobId: 'order-17' } }, ADDITIONS).job_id, 'order-17');
	assert.equal(wholeJob({ job_id: 'order-17' }, ADDITIONS).job_id, 'order-17');
});

test('a whole job keeps all of its fields, and has one callback', () => {
	const job = { endpoint_module: 'm', files: [], meta: { order: 1 } };
	assert.deepEqual(wholeJob(job, ADDITIONS), {
		...job,
		job_id: '1',
		meta: { order: 1, execution: '9' },
		callback_url: 'https://n8n/r',
	});
	assert.throws(() => wholeJob({ callback_url: 'https://other' }, ADDITIONS), /callback_url/);
	const own = wholeJob({ callback_url: 'https://other' }, { ...ADDITIONS, callbackUrl: undefined });
	assert.equal(own.callback_url, 'https://other');
});

test('an object that is no object is refused by the name of its parameter', () => {
	assert.deepEqual(object('Payload', ' '), {});
	assert.throws(() => object('Payload', '[1]'), /Payload is not an object/);
	assert.throws(() => object('Meta', '{'), /Meta is not valid JSON/);
});

test('a field that was left empty is not sent, one that is false or zero is', () => {
	assert.deepEqual(filledFields({ a: null, b: 0, c: false, d: '' }), { b: 0, c: false, d: '' });
	assert.deepEqual(filledFields(null), {});
});

test('the id of a job is legal, and differs by each part of its origin', () => {
	const changed = [{ instance: 'zz' }, { execution: '232' }, { node: 'x' }, { run: 1 }, { item: 3 }];
	const ids = [ORIGIN, ...changed.map((part) => ({ ...ORIGIN, ...part }))].map(jobId);
	assert.equal(ids[0], 'n8n-abcdef01-231-0f8b11-0-2');
	assert.equal(new Set(ids).size, ids.length);
	for (const id of ids) assert.match(id, /^[A-Za-z0-9._:-]{1,128}$/);
});

test('a batch has the id of its jobs without the item, and a job of it no callback', () => {
	const origin = { instance: 'abcdefgh', execution: '12', node: 'node-1', run: 0 };
	assert.equal(jobId({ ...origin, item: 3 }), `${batchId(origin)}-3`);
	assert.equal(jobId({ ...origin, item: 0 }), `${batchId(origin)}-0`);
	const job = wholeJob({ endpoint_module: 'a.b' }, { jobId: '1', meta: {}, batchId: 'b', files: [{ name: 'f' }] });
	assert.deepEqual([job.batch_id, job.callback_url, job.files], ['b', undefined, [{ name: 'f' }]]);
	assert.throws(() => wholeJob({ batch_id: 'own' }, { jobId: '1', meta: {}, batchId: 'b' }), /batch_id/);
});
