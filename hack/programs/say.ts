/** Tells whoever waits what happens; on standard error, apart from results. */
export function say(sentence: string): void {
	process.stderr.write(`lateen: ${sentence}\n`);
}
