/*
 * Heat spreads over a plate. Like most simulations it cuts its domain into as many pieces as there are tasks, and in every step each task
 * exchanges the edge of its piece with its neighbours; every 100 steps all tasks sum up. It fails when MPI has not connected all tasks of
 * the Flux job, or when heat was lost.
 */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

enum { width = 512, height = 512, steps = 1000 };

int main(int argc, char **argv)
{
    int rank, size;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    const char *expected = getenv("FLUX_JOB_SIZE");
    if (expected && atoi(expected) != size) {
        fprintf(stderr, "MPI has connected %d of %s tasks\n", size, expected);
        MPI_Abort(MPI_COMM_WORLD, 1);
    }

    /* Rows of this task, with one more on either side for the neighbours'. */
    int first = height * rank / size, rows = height * (rank + 1) / size - first;
    int above = rank > 0 ? rank - 1 : MPI_PROC_NULL, below = rank < size - 1 ? rank + 1 : MPI_PROC_NULL;
    double *now = calloc((rows + 2) * width, sizeof *now), *next = calloc((rows + 2) * width, sizeof *next);
    for (int y = 1; y <= rows; y++)
        for (int x = 0; x < width; x++)
            now[y * width + x] = hypot(first + y - 1 - height / 2, x - width / 2) < 64 ? 100 : 0;

    double start = MPI_Wtime(), initial = 0;
    if (rank == 0)
        printf("step  heat      hottest\n");
    for (int step = 0; step <= steps; step++) {
        if (step % 100 == 0) {
            double sum = 0, hottest = 0, total, top;
            for (int i = width; i < (rows + 1) * width; i++) {
                sum += now[i];
                hottest = fmax(hottest, now[i]);
            }
            MPI_Allreduce(&sum, &total, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
            MPI_Reduce(&hottest, &top, 1, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
            if (rank == 0)
                printf("%4d  %8.0f  %7.3f\n", step, total, top);
            if (step == 0)
                initial = total;
            if (fabs(total - initial) > initial * 1e-6) {
                fprintf(stderr, "heat was lost between the tasks\n");
                MPI_Abort(MPI_COMM_WORLD, 1);
            }
        }
        MPI_Sendrecv(now + width, width, MPI_DOUBLE, above, 0, now + (rows + 1) * width, width, MPI_DOUBLE, below, 0,
                     MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        MPI_Sendrecv(now + rows * width, width, MPI_DOUBLE, below, 1, now, width, MPI_DOUBLE, above, 1, MPI_COMM_WORLD,
                     MPI_STATUS_IGNORE);
        /* Nothing flows over the border of the plate. */
        for (int y = 1; y <= rows; y++)
            for (int x = 0; x < width; x++) {
                double *cell = now + y * width + x, flow = 0;
                if (x > 0) flow += cell[-1] - cell[0];
                if (x < width - 1) flow += cell[1] - cell[0];
                if (first + y - 1 > 0) flow += cell[-width] - cell[0];
                if (first + y < height) flow += cell[width] - cell[0];
                next[y * width + x] = cell[0] + 0.2 * flow;
            }
        double *spare = now;
        now = next;
        next = spare;
    }
    if (rank == 0)
        printf("%d steps of %d x %d cells in %.2f s on %d tasks\n", steps, width, height, MPI_Wtime() - start, size);
    MPI_Finalize();
    return 0;
}
