import assert from 'node:assert/strict';
import { test } from 'node:test';

import { jobPath, pauseOf, problemOf, resultIn } from '../nodes/Pageworker/api.js';
import { fileName } from '../nodes/Pageworker/operations.js';

test('a problem document is read from text, bytes and an object', () => {
	const problem = { code: 'not_found', detail: 'No such job.' };
	const text = JSON.stringify(problem);
	const bytes = new TextEncoder().encode(text).buffer;
	for (const body of [problem, text, Buffer.from(text), bytes]) assert.deepEqual(problemOf(body), problem);
});

test('the page of a proxy is no problem document', () => {
	for (const body of ['<html>502</html>', '', null, undefined, 'null']) assert.deepEqual(problemOf(body), {});
});

test('an id cannot leave its part of the path', () => {
	assert.equal(jobPath('a:b/../c?d'), '/v1/jobs/a%3Ab%2F..%2Fc%3Fd');
});

test('the name of a file comes from its header', () => {
	assert.equal(fileName('attachment; filename="page.png"'), 'page.png');
	assert.equal(fileName('attachment; filename=page.png; size=3'), 'page.png');
	assert.equal(fileName(''), undefined);
});

test('what the API says of a job that still runs is no result', () => {
	const body = { job_id: '1', status: 'succeeded' };
	assert.deepEqual(resultIn({ status: 200, headers: {}, body }), body);
	assert.equal(resultIn({ status: 202, headers: {}, body }), undefined);
});

test('a pause is as long as the API asks for, within bounds', () => {
	assert.equal(pauseOf({ 'retry-after': '3' }, 250), 3000);
	assert.equal(pauseOf({ 'retry-after': '0' }, 250), 250);
	assert.equal(pauseOf({ 'retry-after': '900' }, 250), 10_000);
	assert.equal(pauseOf({}, 250), 250);
	assert.equal(pauseOf({ 'retry-after': 'Sat, 28 Nov 2026 00:00:00 GMT' }, 250), 250);
});
