/** What a trigger subscribes to. Pure. */

export interface Wanted {
	url: string;
	events: string[];
	modules: string[];
}

/** A subscription as the API lists it. */
export interface Listed extends Wanted {
	subscription_id: string;
	state: string;
}

/** `modules`: globs with commas between them, as a user typed them. Without an event of a result they mean nothing. */
export function wantedOf(url: string, events: string[], modules: string): Wanted {
	const globs = modules.split(',').map((each) => each.trim());
	const results = events.some((event) => event.startsWith('job.'));
	return { url, events: sorted(events), modules: results ? sorted(globs) : [] };
}

/** Whether a subscription gets what is wanted, and nothing else. The API sorts its lists. */
export function isSame(listed: Listed, wanted: Wanted): boolean {
	const { url, events, modules } = listed;
	return JSON.stringify({ url, events: sorted(events), modules: sorted(modules) }) === JSON.stringify(wanted);
}

function sorted(words: string[]): string[] {
	return [...new Set(words.filter(Boolean))].sort();
}
