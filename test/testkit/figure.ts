/** Prints a figure that a test has measured, for people who ask for it by `LATEEN_FIGURES=1`. */
export function figure(name: string, value: number | string): void {
	if (process.env["LATEEN_FIGURES"] !== undefined)
		console.log(`      ${name}: ${value}`);
}
