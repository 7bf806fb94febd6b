/** The signature of Standard Webhooks: https://www.standardwebhooks.com. Pure. */
import { createHmac, timingSafeEqual } from 'crypto';

export const TOLERANCE_SECONDS = 300;
/** The secret in the form in which libraries of Standard Webhooks take it. */
const PREFIX = 'whsec_';

export type SignedHeaders = Record<string, string | string[] | undefined>;

/**
 * Why a request is not accepted; undefined: pageworker sent it within the last minutes. `secret`: the callback secret of the
 * tenant as it is in its file, or as `whsec_` and base64. `now`: Unix seconds.
 */
export function refusal(
	headers: SignedHeaders,
	body: Buffer | undefined,
	secret: string,
	now: number,
): string | undefined {
	const [id, timestamp, signature] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map(
		(name) => headers[name],
	);
	if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signature !== 'string' || !body) {
		return 'The request is not signed.';
	}
	if (!/^\d{1,12}$/.test(timestamp) || Math.abs(now - Number(timestamp)) > TOLERANCE_SECONDS) {
		return 'The signature is too old, or the clocks differ.';
	}
	const hmac = createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.`).update(body);
	const expected = Buffer.from(`v1,${hmac.digest('base64')}`);
	// A sender with several secrets sends several signatures.
	const matches = signature.split(' ').some((each) => {
		const given = Buffer.from(each);
		return given.length === expected.length && timingSafeEqual(given, expected);
	});
	return matches ? undefined : 'The signature does not match: compare the callback secret of the credential.';
}

function keyOf(secret: string): Buffer {
	const text = secret.trim();
	return text.startsWith(PREFIX) ? Buffer.from(text.slice(PREFIX.length), 'base64') : Buffer.from(text);
}
