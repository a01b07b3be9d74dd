/** Tells whoever waits what is measured; on standard error, apart from the figures. */
export function say(text: string): void {
	console.error(`bench: ${text}`);
}
