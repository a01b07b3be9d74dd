/** Something in the demo failed in a way that its message explains; no stack is of use. */
export class DemoError extends Error {
	override readonly name = "DemoError";
}
