/** Text that esbuild puts into the program. */
declare module '*.txt' {
  const text: string;
  export default text;
}
