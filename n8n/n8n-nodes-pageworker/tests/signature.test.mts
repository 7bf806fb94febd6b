import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';

import { refusal } from '../nodes/PageworkerTrigger/signature.js';

const SECRET = 'a secret of sixteen bytes or more';
const BODY = Buffer.from('{"type": "job.succeeded", "data": {"name": "ü"}}');
const NOW = 1_900_000_000;

function signed(secret: string, id = 'msg_1', timestamp = String(NOW), body = BODY) {
	const digest = createHmac('sha256', secret).update(`${id}.${timestamp}.`).update(body).digest('base64');
	return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${digest}` };
}

test('what pageworker signed is accepted, with the secret in both forms', () => {
	const library = `whsec_${Buffer.from(SECRET).toString('base64')}`;
	for (const secret of [SECRET, `${SECRET}\n`, library]) {
		assert.equal(refusal(signed(SECRET), BODY, secret, NOW), undefined);
	}
	const several = signed(SECRET);
	several['webhook-signature'] = `v1,AAAA ${several['webhook-signature']}`;
	assert.equal(refusal(several, BODY, SECRET, NOW), undefined);
});

test('everything else is refused', () => {
	const good = signed(SECRET);
	const cases: Array<[Record<string, string | undefined>, Buffer | undefined, number]> = [
		[{ ...good, 'webhook-id': 'msg_2' }, BODY, NOW],
		[{ ...good, 'webhook-timestamp': String(NOW + 1) }, BODY, NOW],
		[{ ...good, 'webhook-signature': undefined }, BODY, NOW],
		[{ ...good, 'webhook-signature': 'v1,' }, BODY, NOW],
		[good, Buffer.from(`${BODY.toString()} `), NOW],
		[good, undefined, NOW],
		[good, BODY, NOW + 301],
		[good, BODY, NOW - 301],
		[signed('another secret of sixteen bytes'), BODY, NOW],
		[signed(SECRET, 'msg_1', 'soon'), BODY, NOW],
		[{}, BODY, NOW],
	];
	for (const [headers, body, now] of cases) assert.notEqual(refusal(headers, body, SECRET, now), undefined);
});
